"""Can an answer be held to a JSON Schema? By llguidance, with the place of what it cannot hold to.

Texts that several patterns must fit are the one thing whose check has no bound of its own (16 patterns take
5 s, one more twice that), so schemas with many are tried in a process that ends after some seconds.

Answers of a form: a JSON schema, a regular expression or a choice, by masks of the tokens that may follow.

Masks are llguidance's (https://github.com/guidance-ai/llguidance): a schema is compiled to a grammar, and
each step's allowed tokens are found by walking the vocabulary as a tree.

Between the parts of a JSON text there may be one blank, or a new line with a short indent: some small models
would write blanks until they are cut off. A schema bounds what is inside of its strings by `maxLength`."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from finewright.errors import DataError, MissingExtra
from finewright.plugins import install_command

# What stands under these is no schema.
_DATA = frozenset({"const", "enum", "default", "examples"})
_MOST_PLACES, _MOST_SHOWN = 3, 200
_BOUNDS = (
    ("minimum", "maximum"),
    ("minimum", "exclusiveMaximum"),
    ("exclusiveMinimum", "maximum"),
    ("exclusiveMinimum", "exclusiveMaximum"),
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
)
_MOST_OPTIONAL = 400
"""Properties of one object that may be left out: each is four items of a row of llguidance's parser, whose
rows have 2,000 at most; a fifth is for what stands around the object."""
_FEW_PATTERNS = 8
"""Patterns and formats of a schema that is checked at once, in milliseconds."""
_SECONDS, _LONGEST_SECONDS = 2, 30
"""Of a core, and of a busy machine's clock."""
_CHILD = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, ({_SECONDS}, {_SECONDS}))
from llguidance import LLMatcher
sys.stdout.write(LLMatcher.validate_grammar(LLMatcher.grammar_from_json_schema(sys.stdin.read())))
"""


class WrongSchema(DataError):  # noqa: N818 - reads as a claim where it is raised
    """No answer would be valid, whoever wrote it."""


def check_schema(schema: Mapping[str, Any]) -> None:  # Any: JSON
    """Raise DataError with the place and a mend for what no answer can be held to; WrongSchema where that is
    no limit of ours.

    Such are keys that must be counted: a grammar does not know which it has written already."""
    for path, part in _walk_schemas(schema):
        least, named = _as_number(part.get("minProperties")), part.get("required") or ()
        if least is not None and least > len(named):
            raise DataError(
                f"json_schema: {path}.minProperties: a key could be written twice; name {least} in `required`"
            )
        num_optional = len({*_properties(part)} - {*_names_of_required(part)})
        if num_optional > _MOST_OPTIONAL:
            raise DataError(
                f"json_schema: {path}.properties: {num_optional} may be left out, and an answer can be held"
                f" to {_MOST_OPTIONAL} at most; name the others in `required`"
            )
    problem = _problem(json.dumps(schema))
    if mistakes := [*_mistakes(schema, problem)]:
        raise WrongSchema(f"json_schema: {'; '.join(mistakes[:_MOST_PLACES])}")
    if problem:
        raise DataError(f"json_schema: {_locate_problem(schema, problem)}")


def require_llguidance() -> None:
    """Raise MissingExtra where it is not installed."""
    if find_spec("llguidance") is None:
        hint = install_command("serve")
        raise MissingExtra("answers of a form need llguidance", hint=hint)


@lru_cache(maxsize=64)
def _problem(schema: str) -> str:
    """llguidance's own words; "" where there is nothing wrong."""
    require_llguidance()
    if schema.count('"pattern"') + schema.count('"format"') > _FEW_PATTERNS:
        return _try_apart(schema)
    from llguidance import LLMatcher

    return one_line(LLMatcher.validate_grammar(LLMatcher.grammar_from_json_schema(schema)))


def _try_apart(schema: str) -> str:
    """`_problem` in a process of its own, which may take some seconds and no more."""
    call = [sys.executable, "-P", "-c", _CHILD]
    try:
        found = subprocess.run(
            call, input=schema.encode(), capture_output=True, timeout=_LONGEST_SECONDS, check=True
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return f"its patterns take more than {_SECONDS} s to check; let a text fit fewer of them"
    return one_line(found.stdout.decode("utf-8", "replace"))


def _mistakes(schema: Mapping[str, Any], problem: str) -> Iterator[str]:
    """The places of a problem that is a mistake in the schema, each with what is wrong there."""
    parts = [*_walk_schemas(schema)]
    if problem.startswith("regex parse error"):
        why = problem.rpartition("error: ")[2]
        for path, part in parts:
            pattern = part.get("pattern")
            if isinstance(pattern, str) and one_line(pattern) in problem and _is_broken(pattern):
                yield f"{path}.pattern: {pattern[:_MOST_SHOWN]!r} is no regular expression: {why}"
    if problem.startswith("Unsatisfiable"):
        found = [each for path, part in parts for each in _contradictions(path, part)]
        yield from found or [f"{_find_required(parts, problem)}: no value satisfies it"]


def _is_broken(pattern: str) -> bool:
    """Whether it is none by Python's rules either. llguidance knows no look-around, and fewer escapes than
    others."""
    try:
        re.compile(pattern)
    except re.error:
        return True
    except (OverflowError, RecursionError):
        return False
    return False


def _find_required(parts: Sequence[tuple[str, Mapping[str, Any]]], problem: str) -> str:
    """The place of the required property that no value satisfies: its schema, or where it is required."""
    found = re.search("required property '(.+)' is", problem)
    name = found[1] if found else ""
    schemas = (
        f"{path}.{name}" for path, part in parts if path.endswith(".properties") and name in part
    )
    lists = (f"{path}.required" for path, part in parts if name in _names_of_required(part))
    return next(schemas, "") or next(lists, "$")


def _contradictions(path: str, part: Mapping[str, Any]) -> Iterator[str]:
    """What of one part no value satisfies."""
    if part.get("enum") == []:
        yield f"{path}.enum: it is empty, so no value satisfies it"
    for low, high in _BOUNDS:
        least, most = _as_number(part.get(low)), _as_number(part.get(high))
        if least is not None and most is not None:
            is_open = "exclusive" in low + high
            if least > most or (is_open and least == most):
                yield f"{path}: no value satisfies {low} {least} with {high} {most}"
    properties = part.get("properties")
    for name in _names_of_required(part):
        if isinstance(properties, dict) and properties.get(name) is False:
            yield f"{path}.properties.{name}: it is false, which forbids it, and `required` names it"


def _names_of_required(part: Mapping[str, Any]) -> Sequence[str]:
    """The properties that it requires; none of a map of properties, one of which may have this very name."""
    required = part.get("required")
    return required if isinstance(required, list) else ()


def _properties(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Its properties, where it has any; see `_names_of_required`."""
    properties = part.get("properties")
    return properties if isinstance(properties, dict) else {}


def _as_number(value: object) -> int | float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else None  # type: ignore[return-value] # as the condition says


def _locate_problem(schema: Mapping[str, Any], problem: str) -> str:
    """The problem with the places in the schema that it may be at, as it names keys or values alone."""
    keys = set(re.findall(r'"([^"]+)"', problem)) if problem.startswith("Unimplemented") else set()
    keys |= {"oneOf"} if problem.startswith("oneOf") else set()
    if keys:
        places = [
            f"{path}.{key}" for path, part in _walk_schemas(schema) for key in part if key in keys
        ]
        mend = "write anyOf" if keys == {"oneOf"} else "leave it out, and check it in the answer"
        return f"{', '.join(places[:_MOST_PLACES])}: no answer can be held to it here; {mend}"
    value = problem.rpartition(": ")[2]
    places = [
        f"{path}.{key}"
        for path, part in _walk_schemas(schema)
        for key in ("format", "pattern", "type")
        if part.get(key) == value
        or (key in part and key == "pattern" and str(part[key]) in problem)
    ]
    shown = problem[:_MOST_SHOWN]
    return f"{places[0]}: {shown}" if places else shown


def _walk_schemas(schema: object, path: str = "$") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every object that may be a schema, with its place."""
    if isinstance(schema, list):
        for i, part in enumerate(schema):
            yield from _walk_schemas(part, f"{path}[{i}]")
    if isinstance(schema, dict):
        yield path, schema
        for key, part in schema.items():
            if key not in _DATA:
                yield from _walk_schemas(part, f"{path}.{key}")


def one_line(text: str) -> str:
    """The text without its line breaks."""
    return " ".join(text.split())


_BLANKS = r"[ ]|\n {0,8}"


@dataclass(frozen=True, slots=True)
class Grammar:
    """What an answer must be: `kind` says how `text` is read. A choice is a JSON list of texts, calls are
    llguidance's Lark, and a grammar is that or GBNF, which is read as it."""

    kind: Literal["json_schema", "regex", "choice", "calls", "grammar"]
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
        if not bool(constraint.allow().any()):
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


class AnswerGrammar(NamedTuple):
    """A grammar that answers are held to, and what reads it for their tokenizer."""

    grammars: Grammars
    grammar: Grammar


class Constraint:
    """Where an answer is in its grammar."""

    def __init__(self, matcher: Any, size: int) -> None:
        self._matcher, self._size = matcher, size

    def allow(self) -> Tensor:
        """Which tokens may come next, (V,); stop tokens where the answer may end."""
        packed = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        bits = np.unpackbits(packed, count=self._size, bitorder="little")
        return torch.from_numpy(bits.view(np.bool_))

    def add(self, token: int) -> str:
        """Go on with a token that was written; why it cannot, or an empty string."""
        if self._matcher.consume_token(token):
            return ""
        return f"the answer left its form: {_one_line(self._matcher.get_error())}"


def _lark(text: str) -> str:
    """Raises DataError for what is neither Lark nor GBNF."""
    from llguidance.gbnf_to_lark import any_to_lark

    try:
        return str(any_to_lark(text))
    except Exception as error:  # its parser's own, of no one type
        raise DataError(f"grammar: {_one_line(str(error))}") from None


def _source(grammar: Grammar, matcher: Any) -> str:
    if grammar.kind == "regex":
        return str(matcher.grammar_from_regex(grammar.text))
    if grammar.kind == "json_schema":
        check_schema(json.loads(grammar.text))
        bounded = {"whitespace_pattern": _BLANKS}
        return str(matcher.grammar_from_json_schema(grammar.text, overrides=bounded))
    if grammar.kind == "grammar":
        return str(matcher.grammar_from_lark(_lark(grammar.text)))
    if grammar.kind == "calls":
        return str(matcher.grammar_from_lark(grammar.text))
    choices: Sequence[str] = json.loads(grammar.text)
    if not choices:
        raise DataError("choice: there is nothing to choose from")
    lines = " | ".join(json.dumps(choice) for choice in choices)
    return str(matcher.grammar_from_lark(f"start: {lines}"))


def _one_line(text: str) -> str:
    return one_line(text) or "it cannot be read"
