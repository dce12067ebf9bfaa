"""Answers of a form: a JSON schema, a regular expression or a choice, by masks of the tokens that may follow.

Masks are llguidance's (https://github.com/guidance-ai/llguidance): a schema is compiled to a grammar, and
each step's allowed tokens are found by walking the vocabulary as a tree.

Between the parts of a JSON text there may be one blank, or a new line with a short indent: some small models
would write blanks until they are cut off. A schema bounds what is inside of its strings by `maxLength`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from finewright.errors import DataError
from finewright.lm.engine.schemas import check_schema, one_line, require_llguidance

_BLANKS = r"[ ]|\n {0,8}"


@dataclass(frozen=True, slots=True)
class Grammar:
    """What an answer must be: `kind` says how `text` is read. A choice is a JSON list of texts, calls are
    llguidance's Lark."""

    kind: Literal["json_schema", "regex", "choice", "calls"]
    text: str


def schema_grammar(schema: Mapping[str, Any] | None) -> Grammar:  # Any: JSON
    """One JSON text that the schema accepts; any object without one."""
    return Grammar("json_schema", json.dumps({"type": "object"} if schema is None else schema))


class Grammars:
    """Grammars over one tokenizer's vocabulary, which is `vocab_size` logits wide; `stop_ids` end an answer.

    Raises MissingExtra where llguidance is not installed."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, vocab_size: int, stop_ids: frozenset[int]
    ) -> None:
        require_llguidance()
        self._plain, self._stop_ids, self._size = tokenizer, stop_ids, vocab_size
        self._compiled = lru_cache(maxsize=32)(self._compile)  # schemas are the clients'

    @cached_property
    def _tokenizer(self) -> Any:
        """llguidance's, which takes a quarter of a second for 50,000 tokens: not before it is needed."""
        from llguidance.hf import from_tokenizer

        size = max(self._size, len(self._plain))
        return from_tokenizer(self._plain, n_vocab=size, eos_token=sorted(self._stop_ids))

    def begin(self, grammar: Grammar, salt: str = "") -> "Constraint":
        """The constraint of an answer, made anew for every salt. Raises DataError where the grammar cannot be
        read or satisfied."""
        matcher = self._compiled(grammar, salt).deep_copy()
        constraint = Constraint(matcher, self._size)
        if not bool(constraint.allowed().any()):
            raise DataError(f"{grammar.kind}: nothing satisfies it")
        return constraint

    def _compile(self, grammar: Grammar, _salt: str) -> Any:
        from llguidance import LLMatcher

        made = _source(grammar, LLMatcher)
        if problem := LLMatcher.validate_grammar(made, self._tokenizer):
            raise DataError(f"{grammar.kind}: {_one_line(problem)}")
        matcher = LLMatcher(self._tokenizer, made, log_level=0)
        if matcher.is_error():
            raise DataError(f"{grammar.kind}: {_one_line(matcher.get_error())}")
        return matcher


class Constraint:
    """Where an answer is in its grammar."""

    def __init__(self, matcher: Any, size: int) -> None:
        self._matcher, self._size = matcher, size

    def allowed(self) -> Tensor:
        """Which tokens may come next, (V,); stop tokens where the answer may end."""
        packed = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        bits = np.unpackbits(packed, count=self._size, bitorder="little")
        return torch.from_numpy(bits.view(np.bool_))

    def add(self, token: int) -> str:
        """Go on with a token that was written; why it cannot, or an empty string."""
        if self._matcher.consume_token(token):
            return ""
        return f"the answer left its form: {_one_line(self._matcher.get_error())}"


def _source(grammar: Grammar, matcher: Any) -> str:
    if grammar.kind == "regex":
        return str(matcher.grammar_from_regex(grammar.text))
    if grammar.kind == "json_schema":
        check_schema(json.loads(grammar.text))
        bounded = {"whitespace_pattern": _BLANKS}
        return str(matcher.grammar_from_json_schema(grammar.text, overrides=bounded))
    if grammar.kind == "calls":
        return str(matcher.grammar_from_lark(grammar.text))
    choices: Sequence[str] = json.loads(grammar.text)
    if not choices:
        raise DataError("choice: there is nothing to choose from")
    lines = " | ".join(json.dumps(choice) for choice in choices)
    return str(matcher.grammar_from_lark(f"start: {lines}"))


def _one_line(text: str) -> str:
    return one_line(text) or "it cannot be read"
