"""Answers of a form: a JSON schema, a regular expression or a choice, by masks of the tokens that may follow.

Masks are llguidance's (https://github.com/guidance-ai/llguidance): a schema is compiled to a grammar, and
each step's allowed tokens are found by walking the vocabulary as a tree.

Between the parts of a JSON text there may be one blank, or a new line with a short indent: some small models
would write blanks until they are cut off. A schema bounds what is inside of its strings by `maxLength`."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from finewright.errors import DataError, MissingExtra

# What stands under these is no schema.
_DATA = frozenset({"const", "enum", "default", "examples"})
_BLANKS = r"[ ]|\n {0,8}"
_MOST_PLACES = 3


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
        _require_llguidance()
        self._plain, self._stop_ids, self._size = tokenizer, stop_ids, vocab_size
        self._compiled = lru_cache(maxsize=32)(self._compile)  # schemas are the clients'

    @cached_property
    def _tokenizer(self) -> Any:
        """llguidance's, which takes a quarter of a second for 50,000 tokens: not before it is needed."""
        from llguidance.hf import from_tokenizer

        size = max(self._size, len(self._plain))
        return from_tokenizer(self._plain, n_vocab=size, eos_token=sorted(self._stop_ids))

    def begin(self, grammar: Grammar) -> "Constraint":
        """The constraint of an answer. Raises DataError where the grammar cannot be read or satisfied."""
        matcher = self._compiled(grammar).deep_copy()
        constraint = Constraint(matcher, self._size)
        if not bool(constraint.allowed().any()):
            raise DataError(f"{grammar.kind}: nothing satisfies it")
        return constraint

    def _compile(self, grammar: Grammar) -> Any:
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


def check_schema(schema: Mapping[str, Any]) -> None:  # Any: JSON
    """Raise DataError with the place and a mend for what no answer can be held to.

    Such are keys that must be counted: a grammar does not know which it has written already."""
    for path, part in _parts(schema):
        least, named = part.get("minProperties"), part.get("required") or ()
        if isinstance(least, int) and least > len(named):
            raise DataError(
                f"json_schema: {path}.minProperties: a key could be written twice; name {least} in `required`"
            )
    if problem := _problem(json.dumps(schema)):
        raise DataError(f"json_schema: {_placed(schema, problem)}")


def _require_llguidance() -> None:
    if find_spec("llguidance") is None:
        hint = 'pip install "finewright[serve]"'
        raise MissingExtra("answers of a form need llguidance", hint=hint)


@lru_cache(maxsize=32)
def _problem(schema: str) -> str:
    """llguidance's own words; "" where there is nothing wrong."""
    _require_llguidance()
    from llguidance import LLMatcher

    return _one_line(LLMatcher.validate_grammar(LLMatcher.grammar_from_json_schema(schema)), "")


def _placed(schema: Mapping[str, Any], problem: str) -> str:
    """The problem with the places in the schema that it may be at, as it names keys or values alone."""
    keys = set(re.findall(r'"([^"]+)"', problem)) if problem.startswith("Unimplemented") else set()
    keys |= {"oneOf"} if problem.startswith("oneOf") else set()
    if keys:
        places = [f"{path}.{key}" for path, part in _parts(schema) for key in part if key in keys]
        mend = "write anyOf" if keys == {"oneOf"} else "leave it out, and check it in the answer"
        return f"{', '.join(places[:_MOST_PLACES])}: no answer can be held to it here; {mend}"
    value = problem.rpartition(": ")[2]
    places = [
        f"{path}.{key}"
        for path, part in _parts(schema)
        for key in ("format", "pattern", "type")
        if part.get(key) == value or (key == "pattern" and str(part.get(key)) in problem)
    ]
    return f"{places[0]}: {problem}" if places else problem


def _parts(schema: object, path: str = "$") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every object that may be a schema, with its place."""
    if isinstance(schema, list):
        for i, part in enumerate(schema):
            yield from _parts(part, f"{path}[{i}]")
    if isinstance(schema, dict):
        yield path, schema
        for key, part in schema.items():
            if key not in _DATA:
                yield from _parts(part, f"{path}.{key}")


def _one_line(text: str, empty: str = "it cannot be read") -> str:
    return " ".join(text.split()) or empty
