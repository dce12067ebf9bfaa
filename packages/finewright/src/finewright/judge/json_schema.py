"""Does an answer hold to a JSON Schema? By the `jsonschema` library, and never over the network."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from finewright.errors import DataError, MissingExtra, SpecError
from finewright.judge.bounded_schema import MOST_REFERENCES, TooManySteps, begin, bound_validator
from finewright.judge.json_text import MAX_JSON_DEPTH, parse_json
from finewright.judge.patterns import compile_pattern
from finewright.plugins import install_command

_MOST_OF_A_MESSAGE = 200
_REFERENCES = ("$ref", "$dynamicRef")


class JsonSchema:
    """1 if the whole answer is one JSON text, read strictly, that the schema accepts.

    Drafts 3 to 2020-12 by `$schema`, 2020-12 without it. `format` asserts nothing. A number beyond a
    double, nesting beyond the interpreter's stack, or a value for which more than 20,000 references are
    followed, is not accepted."""

    def __init__(self, text: str) -> None:
        """Raises SpecError if the text is no valid schema or refers to what is not in it."""
        self._validator = _valid(text, tries_patterns=True)

    def __call__(self, answer: str, expected: str = "") -> float:
        """The score of one answer."""
        parsed = parse_json(answer)
        if parsed is None:
            return 0.0
        begin()
        try:
            return float(self._validator.is_valid(_convert_decimals(parsed.value)))
        except (DataError, RecursionError):
            return 0.0

    def complaint(self, value: object) -> str:
        """What the schema has first against a JSON value, without the value; nothing where it accepts it.

        Raises SpecError where that is not found in bounded time."""
        from jsonschema.exceptions import best_match

        begin()
        try:
            error = best_match(self._validator.iter_errors(value))
        except TooManySteps:
            what = f"the schema refers to itself more than {MOST_REFERENCES} times for this value"
            raise SpecError(what) from None
        except RecursionError:
            raise SpecError("the value nests too deep") from None
        return "" if error is None else _complaint(error)


def _complaint(error: Any) -> str:  # Any: jsonschema has no types
    where = error.json_path.removeprefix("$").removeprefix(".")
    if error.validator in ("required", "additionalProperties"):
        what = str(error.message)
    elif error.validator == "type":
        what = f"not of type {error.validator_value!r}"
    else:
        what = f"breaks {error.validator!r}"
    return (f"{where}: {what}" if where else what)[:_MOST_OF_A_MESSAGE]


def refuse_no_schema(text: str) -> None:
    """Raise SpecError as JsonSchema does, but for patterns, of which other libraries know other forms."""
    _valid(text, tries_patterns=False)


def read_schema(path: Path) -> JsonSchema:
    """The schema in a file. Raises SpecError that names the file."""
    try:
        return JsonSchema(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None
    except SpecError as error:
        raise SpecError(f"{path}: {error}", hint=error.hint) from None


def json_schema(answer: str, expected: str) -> float:
    """1 if the whole answer is one JSON text that `expected`, a JSON Schema, accepts.

    0 if `expected` is no schema."""
    schema = schema_of(expected)
    return 0.0 if schema is None else schema(answer)


def schema_of(text: str) -> JsonSchema | None:
    """The schema that a text is; None where it is none, or none that can be held to."""
    found = _try_schema(text)
    return found if isinstance(found, JsonSchema) else None


def load_schema(text: str) -> JsonSchema:
    """The schema that a text is. Raises SpecError where it is none, or none that can be held to."""
    found = _try_schema(text)
    if isinstance(found, SpecError):
        raise SpecError(str(found), hint=found.hint)
    return found


@lru_cache(maxsize=1024)
def _try_schema(text: str) -> JsonSchema | SpecError:
    try:
        return JsonSchema(text)
    except SpecError as error:
        return error


def _read(text: str) -> Any:  # Any: a schema is any JSON value until it is checked
    parsed = parse_json(text)
    if parsed is None:
        raise SpecError(
            f"the JSON Schema is not one JSON text by RFC 8259, or nests deeper than {MAX_JSON_DEPTH}"
        )
    try:
        return _convert_decimals(parsed.value)
    except DataError as error:
        raise SpecError(f"the JSON Schema holds {error}") from None


def _valid(text: str, *, tries_patterns: bool) -> Any:  # Any: jsonschema has no types
    schema = _read(text)
    try:
        from jsonschema.exceptions import SchemaError
    except ImportError:
        raise MissingExtra("json_schema needs jsonschema", hint=install_command("[data]")) from None
    try:
        return _validator(schema, tries_patterns=tries_patterns)
    except SchemaError as error:
        what = f"{error.json_path}: {error.message}"[:_MOST_OF_A_MESSAGE]
        raise SpecError(f"not a valid JSON Schema: {what}") from None
    except RecursionError:
        raise SpecError("the JSON Schema refers to itself without end") from None


def _draft(schema: Any) -> Any:  # Any: as above
    """The draft that a schema names, else that of 2020-12. Raises SpecError for an unknown one."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    if not isinstance(schema, dict) or "$schema" not in schema:
        return Draft202012Validator
    draft = schema["$schema"]
    chosen = validator_for(schema, default=None) if isinstance(draft, str) else None
    if chosen is None:
        raise SpecError(f"unknown $schema {draft!r}")
    return chosen


def _validator(schema: Any, *, tries_patterns: bool) -> Any:  # Any: as above
    from jsonschema_specifications import REGISTRY
    from referencing import Resource
    from referencing.jsonschema import DRAFT202012

    chosen = _draft(schema)
    formats = chosen.FORMAT_CHECKER if tries_patterns else None  # of the keys that hold patterns
    chosen.check_schema(schema, format_checker=formats)
    resource = Resource.from_contents(schema, default_specification=DRAFT202012)
    root = REGISTRY.resolver_with_root(resource)
    keys: set[str] = set()
    for part in _walk_parts(root, resource, set()):
        keys.update(part)
        for pattern in _patterns(part) if tries_patterns else ():
            compile_pattern(pattern)
    if tries_patterns:
        _refuse_unbounded(keys)
    _check_end(root, schema, {})
    return bound_validator(chosen)(schema, registry=REGISTRY)


def _walk_parts(
    resolver: Any, resource: Any, seen: set[int]
) -> Iterator[Mapping[str, Any]]:  # Any: generic in the draft
    """Every part of a schema once, every reference followed, so that no answer meets a broken one."""
    part = resource.contents
    if not isinstance(part, Mapping) or id(part) in seen:
        return
    seen.add(id(part))
    yield part
    for key in _REFERENCES:
        if isinstance(part.get(key), str):
            yield from _walk_parts(*_look_up_reference(resolver, part[key]), seen)
    for inner in resource.subresources():
        yield from _walk_parts(resolver.in_subresource(inner), inner, seen)


def _check_end(resolver: Any, part: Any, ended: dict[int, bool]) -> None:  # Any: as above
    """Raise RecursionError where a part is applied to a value that it is being applied to. Found by the parts
    alone: to try a value may take 2^n steps of n parts."""
    from referencing import Resource
    from referencing.jsonschema import DRAFT202012

    if not isinstance(part, Mapping) or ended.get(id(part)):
        return
    if id(part) in ended:
        raise RecursionError
    ended[id(part)] = False
    resolver = resolver.in_subresource(
        Resource.from_contents(part, default_specification=DRAFT202012)
    )
    for key in _REFERENCES:
        if isinstance(part.get(key), str):
            inner, target = _look_up_reference(resolver, part[key])
            _check_end(inner, target.contents, ended)
    for each in _parts_for_same_value(part):
        _check_end(resolver, each, ended)
    ended[id(part)] = True


def _parts_for_same_value(part: Mapping[str, Any]) -> Iterator[Any]:  # Any: JSON
    """What is applied to the same value as the part, and not to one within it."""
    for key in ("allOf", "anyOf", "oneOf", "not", "if", "then", "else"):
        found = part.get(key)
        yield from found if isinstance(found, list) else [found]
    for key in ("dependentSchemas", "dependencies"):
        found = part.get(key)
        yield from found.values() if isinstance(found, Mapping) else ()


def _look_up_reference(resolver: Any, reference: str) -> tuple[Any, Any]:  # Any: as above
    from referencing import Resource
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    try:
        found = resolver.lookup(reference)
    except Unresolvable:
        raise SpecError(
            f"the JSON Schema refers to {reference!r}, which is not in it",
            hint="copy it into $defs; nothing is fetched",
        ) from None
    target = Resource.from_contents(found.contents, default_specification=DRAFT202012)
    return found.resolver, target


def _refuse_unbounded(keys: set[str]) -> None:
    """The library asks Python's `re` which properties patterns have evaluated."""
    if {"patternProperties", "unevaluatedProperties"} <= keys:
        raise SpecError(
            "the JSON Schema has patternProperties beside unevaluatedProperties",
            hint="write additionalProperties for unevaluatedProperties",
        )


def _patterns(part: Mapping[str, Any]) -> Iterator[str]:  # Any: JSON
    if isinstance(part.get("pattern"), str):
        yield part["pattern"]
    if isinstance(part.get("patternProperties"), dict):
        yield from part["patternProperties"]


def _convert_decimals(value: object) -> object:
    """Ints and floats for Decimals, which jsonschema does not take for integers."""
    if isinstance(value, dict):
        return {key: _convert_decimals(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_convert_decimals(item) for item in value]
    return _convert_decimal(value) if isinstance(value, Decimal) else value


def _convert_decimal(value: Decimal) -> int | float:
    near = float(value)
    if near in (float("inf"), float("-inf")):
        raise DataError("a number beyond a double")
    if value.is_zero():
        return 0  # at once, whatever its exponent
    whole = near and value == value.to_integral_value()
    return int(value) if whole else near
