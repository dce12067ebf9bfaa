"""Mends what is safe to mend in rows: another spelling of what is there, never another content.

Not mended: broken JSON, cut rows, control tokens, personal data, anything that must be written anew."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, get_args

from finewright.data.check import EveryRow
from finewright.data.row_warnings import ExactRepeats, RowWarnings
from finewright.errors import DataError
from finewright.rows.containers.card import StatedFile
from finewright.rows.containers.found import AS_IT_STANDS, ReadRow, Unread
from finewright.rows.containers.lines import jsonl_at
from finewright.rows.fates import ReadOptions, RowFate, fate_of, fates_in, files_of
from finewright.rows.formats.columns import rename_columns
from finewright.rows.identity import to_user_json
from finewright.rows.notes import Json, RowNotes
from finewright.rows.read import container_of, rows_of
from finewright.rows.tally import Tally
from finewright.schema.common import Problem, errors_of
from finewright.schema.data import DataType
from finewright.schema.data_check import FixReport

_TURNS = ("messages", "prompt", "completion", "chosen", "rejected")
_ROLES = {
    **{role: role for role in ("system", "user", "assistant", "tool")},
    **{"human": "user", "developer": "system"},
    **dict.fromkeys(("gpt", "bot", "model", "ai", "chatgpt"), "assistant"),
}
_FLAGS = {"true": True, "false": False}
_WEIGHTS: dict[object, int] = {"0": 0, "1": 1, 0: 0, 1: 1}


class Mended(NamedTuple):
    """The row after its mends, and their names in the order of the module's functions."""

    data: Json
    mends: tuple[str, ...]


def mend_row(data: Json, columns: Mapping[str, str] | None = None) -> Mended:
    """The row with each safe mend applied: `roles`, `null_content`, `arguments`, `weight`,
    `empty_turns`, `label`. `columns` are our keys and the file's own."""
    mends: Counter[str] = Counter()
    changed = dict(data)
    named = {key: (columns or {}).get(key, key) for key in (*_TURNS, "label")}
    for key in _TURNS:
        if isinstance(data.get(named[key]), list):
            changed[named[key]] = _turns(data[named[key]], mends)
    is_answer = named["messages"] in data or {named["prompt"], named["completion"]} <= set(data)
    label = data.get(named["label"])
    if is_answer and isinstance(label, str) and label.strip().lower() in _FLAGS:
        changed[named["label"]] = _FLAGS[label.strip().lower()]
        mends["label"] += 1
    return Mended(changed if mends else data, tuple(mends))


def _turns(turns: list[Any], mends: Counter[str]) -> list[Any]:
    changed = [_turn(turn, mends) if isinstance(turn, dict) else turn for turn in turns]
    num_filled = len(changed)
    while num_filled > 1 and _says_nothing(changed[num_filled - 1]):
        num_filled -= 1
        mends["empty_turns"] += 1
    return changed[:num_filled]


def _turn(turn: Json, mends: Counter[str]) -> Json:
    changed = dict(turn)
    role = turn.get("role")
    if isinstance(role, str) and _ROLES.get(role.strip().lower(), role) != role:
        changed["role"] = _ROLES[role.strip().lower()]
        mends["roles"] += 1
    calls = turn.get("tool_calls")
    if isinstance(calls, list) and calls:
        if turn.get("content") is None and changed.get("role") == "assistant":
            changed["content"] = ""
            mends["null_content"] += 1
        changed["tool_calls"] = [_call(call, mends) for call in calls]
    weight = turn.get("weight")
    if isinstance(weight, str | float | bool) and weight in _WEIGHTS:
        changed["weight"] = _WEIGHTS[weight]
        mends["weight"] += 1
    return changed


def _call(call: Any, mends: Counter[str]) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    arguments = function.get("arguments") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(arguments, dict):
        return call
    mends["arguments"] += 1
    text = json.dumps(arguments, ensure_ascii=False)
    return {**call, "function": {**function, "arguments": text}}


def _says_nothing(turn: Any) -> bool:
    if not isinstance(turn, dict) or turn.get("role") not in ("system", "user", "assistant"):
        return False
    content = turn.get("content")
    is_blank = content is None or (isinstance(content, str) and not content.strip())
    others = set(turn) - {"role", "content", "weight", "name"}
    return is_blank and not any(turn[key] for key in others)


def path_of_rejected(out: Path) -> Path:
    """Where the rows go that are not in `out`."""
    return out.with_name(f"{out.name.removesuffix('.jsonl')}.rejected.jsonl")


def outputs_of(out: Path, *, by_type: bool) -> dict[DataType | None, Path]:
    """Where rows may be written: to `out`, or those of each type to a file of its own."""
    if not by_type:
        return {None: out}
    stem = out.name.removesuffix(".jsonl")
    return {type_: out.with_name(f"{stem}.{type_}.jsonl") for type_ in get_args(DataType)}


def fix_rows(
    path: Path,
    out: Path,
    options: ReadOptions,
    say: Callable[[Problem], None] = lambda _: None,
    *,
    by_type: bool = False,
) -> FixReport:
    """Write the rows, mended where that is safe, to `out`; those that stay unusable go beside it.

    What is written is read without any option: named columns have our names, and what only an option
    or a manifest made readable is in our own shape. Those set aside go unchanged to
    `NAME.rejected.jsonl`, each with its reason, unless none can be used. The input is never touched, and an
    `out` that is part of it is refused. Control tokens, hidden text and exact repeats are told of as `check`
    does, and stay. Rows are counted as they stand in their file. `say` gets every problem, the report the
    first of them; a file that would be empty is not written."""
    rejected = path_of_rejected(out)
    outs = outputs_of(out, by_type=by_type)
    for target in (*outs.values(), rejected):
        _check_apart(path, target)
    with ExitStack() as files:
        writes = {key: files.enter_context(jsonl_at(target)) for key, target in outs.items()}
        reject = files.enter_context(jsonl_at(rejected))
        fixing = _Fixing(writes, reject, say)
        for file in files_of(path, options):
            if isinstance(file, Problem):
                fixing.tell(file)
            else:
                fixing.file(file.part, file.options)
    tally = fixing.tally
    fixing.end()
    for key, target in outs.items():
        if key not in fixing.written:
            target.unlink()
    sets_aside = bool(tally.dropped and fixing.written)
    if not sets_aside:
        rejected.unlink()
    return FixReport(
        rows_in=tally.rows_in,
        rows_written=tally.kept,
        rows_mended=fixing.num_mended,
        rows_rejected=dict(tally.dropped),
        mends=dict(fixing.mends),
        file_mends=dict(fixing.file_mends),
        out=", ".join(str(target) for key, target in outs.items() if key in fixing.written),
        rejected=str(rejected) if sets_aside else "",
        problems=tally.problems(),
        findings=fixing.every.collect(),
    )


def _check_apart(path: Path, target: Path) -> None:
    inside = path.is_dir() and target.resolve().is_relative_to(path.resolve())
    if inside or (target.exists() and path.exists() and target.samefile(path)):
        raise DataError(
            f"{target} is part of what is read, which is never written to",
            hint="name another file",
        )


def fate_after_mends(found: ReadRow | Unread, options: ReadOptions) -> RowFate:
    """What becomes of a row after its mends; what its reading repaired is one of them."""
    if isinstance(found, Unread):
        return fate_of(found, options)
    kinds = (repair.kind for repair in found.repairs if repair.kind not in AS_IT_STANDS)
    mends = tuple(dict.fromkeys(kinds))
    made = mend_row(found.data, options.columns)
    fate = fate_of(found._replace(data=made.data), options)
    return fate._replace(origin=found, mends=(*mends, *made.mends), mended=made.data)


def _rows_to_write(fate: RowFate) -> list[Json]:
    """The row so that it is read without options: as it is, under our names, or in our own shape."""
    data = fate.mended or {}
    if fate.options._replace(encoding="") == ReadOptions():
        return [data]
    whole = [to_user_json(row) for row in fate.rows]
    alone = [to_user_json(replace(row, columns={})) for row in fate.rows]
    under_our_names = [rename_columns(data, fate.options.columns, RowNotes(fate.file, fate.row))]
    ids = [row.id for row in fate.rows]
    ways = (whole,) if fate.options.is_tagged else (under_our_names, whole)
    return next((way for way in ways if _ids(fate, way) == ids), alone)


def _ids(fate: RowFate, way: list[Json]) -> list[str]:
    read = (ReadRow(fate.file, fate.row, data) for data in way)
    return [row.id for each in read for row in fate_of(each, ReadOptions()).rows]


@dataclass(slots=True)
class _Fixing:
    """The counts so far, in lines that are written, and where rows go."""

    writes: Mapping[DataType | None, Callable[[object], None]]
    reject: Callable[[object], None]
    say: Callable[[Problem], None]
    tally: Tally = field(default_factory=Tally)
    warnings: RowWarnings = field(default_factory=RowWarnings)
    repeats: ExactRepeats = field(default_factory=ExactRepeats)
    every: EveryRow = field(default_factory=EveryRow)
    num_mended: int = 0
    written: set[DataType | None] = field(default_factory=set)
    mends: Counter[str] = field(default_factory=Counter)
    file_mends: Counter[str] = field(default_factory=Counter)

    def tell(self, problem: Problem) -> None:
        """List what must be said, and say it."""
        self.tally.add(problem)
        self.say(problem)

    def end(self) -> None:
        """Say what is known after the last row."""
        for problem in self.every.add_later(self.warnings, self.repeats):
            self.tell(problem)
        for problem in self.tally.unmet():
            self.say(problem)

    def file(self, part: StatedFile, options: ReadOptions) -> None:
        self.file_mends.update(_of_file(part))
        for item in fates_in(rows_of(part), options, fate_after_mends):
            if isinstance(item, RowFate):
                self.row(item)
            else:
                self.tell(item)

    def row(self, fate: RowFate) -> None:
        """Write a row or set it aside."""
        for problem in fate.problems:
            self.tell(problem)
        self.tally.use_columns(fate)
        self.every.add_fate(fate)
        self.warnings.add(fate.rows)
        self.repeats.add(fate.rows)
        if not fate.rows:
            self.tally.dropped[fate.reason] += 1
            self.reject({**_reasons(fate), **fate.as_it_stands()})
            return
        written = _rows_to_write(fate)
        self.tally.kept += len(written)
        self.num_mended += bool(fate.mends) * len(written)
        self.mends.update(fate.mends)
        key = None if None in self.writes else fate.types[0]
        self.written.add(key)
        for data in written:
            self.writes[key](data)


def _reasons(fate: RowFate) -> Json:
    errors = errors_of(fate.problems)
    reasons = [f"{p.key}: {p.message}" if p.key else p.message for p in errors]
    return {
        "file": fate.file,
        "row": fate.row,
        "reasons": reasons or ["no usable row is in it"],
    }


def _of_file(part: StatedFile) -> Iterator[str]:
    """What reading undoes for every row of the file."""
    try:
        kind, stream = container_of(part)
    except DataError:
        return
    if stream.packing:
        yield "unpacked"
    if kind != "lines":
        yield f"{kind}_to_lines"
    if stream.encoding != "utf-8":
        yield "encoding"
    if stream.head.startswith(b"\xef\xbb\xbf"):
        yield "byte_order_mark"
    if kind in ("lines", "table") and b"\r\n" in stream.head:
        yield "line_ends"
