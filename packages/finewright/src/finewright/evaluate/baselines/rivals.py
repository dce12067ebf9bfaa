"""What a company would try before it trains a model whose answers are JSON objects: the base after training
rows as examples, the base held to a JSON Schema as it answers, and both; and the tuned model held to it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from finewright.evaluate.arms import answer_of, order_by_chance, with_examples
from finewright.evaluate.baselines.label_task import is_plain_answer, label_task
from finewright.evaluate.measured import RowSet
from finewright.judge.json_schema import JsonSchema, read_schema
from finewright.judge.json_text import parse_json
from finewright.judge.user_function import Resolve
from finewright.schema.canaries import CANARY_SOURCE
from finewright.schema.common import Problem
from finewright.schema.evaluate import (
    BASE,
    TUNED,
    WITH_EXAMPLES,
    WITH_LABELS,
    WITH_SCHEMA,
    EvaluateSpec,
)
from finewright.schema.rows import Row

_NUM_EXAMPLES = 8
"""More gain little (Min et al. 2022, arXiv:2202.12837, section 4.2), and each is read with every question."""
_MOST_OTHERS = 0.5  # of a set's answers, as of labels
_NEARLY_ALL = 0.9
"""Where so many are JSON objects, the others are likely a mistake in the rows, and are said."""
_TYPES: dict[type, str] = {
    str: "string",
    bool: "boolean",
    Decimal: "number",
    dict: "object",
    list: "array",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class JsonTask:
    """The schema of the answers as JSON text, where it is from, and the training rows that are shown."""

    schema: str
    schema_source: str
    examples: tuple[Row, ...]

    def sets(self, row_sets: Sequence[RowSet]) -> list[RowSet]:
        """Those whose rows ask for JSON objects: at least half of what they expect is one."""
        return [each for each in row_sets if _asks_for_objects(each.rows)]

    def with_examples(self, row_set: RowSet) -> RowSet:
        """The set with the examples before every question."""
        return RowSet(row_set.name, [with_examples(row, self.examples) for row in row_set.rows])

    def warn_of_misfits(self, row_sets: Sequence[RowSet]) -> Iterator[Problem]:
        """A warning for each set with right answers that the schema forbids."""
        accepts = JsonSchema(self.schema)
        for each in self.sets(row_sets):
            rows = [row for row in each.rows if not accepts(answer_of(row))]
            if rows:
                yield Problem(
                    level="warning",
                    key="evaluate.json_schema",
                    file=rows[0].file,
                    row=rows[0].row,
                    message=f"{len(rows)} of {len(each.rows)} expected answers of {each.name} break the"
                    f" schema ({self.schema_source}), this one first: what is held to it cannot give them",
                    hint="name a schema that allows them under evaluate.json_schema",
                )


def find_json_task(
    train: Sequence[Row], spec: EvaluateSpec, resolve: Resolve = Path
) -> tuple[JsonTask | None, list[Problem]]:
    """The task of training rows whose answers are all JSON objects, and are no labels; of any rows where the
    spec names a schema. With a warning where nearly all answers are objects.

    Raises SpecError for a file that is no JSON Schema."""
    train = [row for row in train if row.file != CANARY_SOURCE]
    if {"examples", "schema"}.isdisjoint(spec.compare_with) or not all(map(is_plain_answer, train)):
        return None, []
    shown = tuple(order_by_chance(train, spec.seed, "examples")[:_NUM_EXAMPLES])
    if spec.json_schema:
        path = resolve(spec.json_schema)
        read_schema(path)
        return JsonTask(path.read_text("utf-8"), spec.json_schema, shown), []
    values = [_object_in(row) for row in train]
    objects = [value for value in values if value is not None]
    if not objects or label_task(train):
        return None, []
    if len(objects) < len(train):
        return None, list(_warn_of_others(train, values))
    schema = json.dumps(schema_of_values(objects), ensure_ascii=False)
    return JsonTask(schema, f"inferred from {len(objects):,} training answers", shown), []


def _warn_of_others(train: Sequence[Row], values: Sequence[object]) -> Iterator[Problem]:
    others = [row for row, value in zip(train, values, strict=True) if value is None]
    if len(others) <= (1 - _NEARLY_ALL) * len(train):
        yield Problem(
            level="warning",
            file=others[0].file,
            row=others[0].row,
            message=f"{len(others)} of {len(train):,} training answers are no JSON objects, this one first:"
            " no base with examples or a schema is measured",
            hint="correct them, or name evaluate.json_schema",
        )


def list_systems(spec: EvaluateSpec, train: Sequence[Row], resolve: Resolve = Path) -> list[str]:
    """Which systems answer every held-out row, of one base model that was trained to write."""
    compared = spec.compare_with
    found = [BASE] if "base" in compared else []
    if "base_with_labels" in compared and label_task(train):
        found.append(BASE + WITH_LABELS)
    is_json = find_json_task(train, spec, resolve)[0] is not None
    ways = [list_ways(compared, tuned=tuned) if is_json else [] for tuned in (False, True)]
    return [*found, *(BASE + way for way in ways[0]), TUNED, *(TUNED + way for way in ways[1])]


def list_ways(compare_with: Sequence[str], *, tuned: bool) -> list[str]:
    """In which other ways a model is asked for JSON objects, as they end its name. A tuned model needs no
    examples."""
    shows = "examples" in compare_with and not tuned
    holds = "schema" in compare_with
    ways = {
        WITH_EXAMPLES: shows,
        WITH_SCHEMA: holds,
        WITH_EXAMPLES + WITH_SCHEMA: shows and holds,
    }
    return [way for way, is_taken in ways.items() if is_taken]


def schema_of_values(values: Sequence[Any]) -> dict[str, Any]:  # Any: JSON
    """A JSON Schema that allows these values: types, keys, and which keys all objects have; no other keys.

    A number may be any number and a text any text, for the next value is another."""
    kinds = {kind: [v for v in values if type(v) is kind] for kind in _TYPES}
    found = [_schema_of_kind(_TYPES[kind], each) for kind, each in kinds.items() if each]
    return found[0] if len(found) == 1 else {"anyOf": found} if found else {}


def _schema_of_kind(name: str, values: Sequence[Any]) -> dict[str, Any]:  # Any: JSON
    if name == "array":
        return {"type": name, "items": schema_of_values([item for each in values for item in each])}
    if name != "object":
        return {"type": name}
    keys = dict.fromkeys(key for each in values for key in each)
    return {
        "type": name,
        "properties": {k: schema_of_values([v[k] for v in values if k in v]) for k in keys},
        "required": [key for key in keys if all(key in each for each in values)],
        "additionalProperties": False,
    }


def _object_in(row: Row) -> dict[str, Any] | None:  # Any: JSON
    parsed = parse_json(answer_of(row))
    return parsed.value if parsed is not None and isinstance(parsed.value, dict) else None


def _asks_for_objects(rows: Sequence[Row]) -> bool:
    if not rows or not all(map(is_plain_answer, rows)):
        return False
    return sum(_object_in(row) is not None for row in rows) >= _MOST_OTHERS * len(rows)
