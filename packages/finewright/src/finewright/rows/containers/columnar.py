"""Parquet and Arrow files, a batch at a time.

Arrow cannot leave a key out, so a null in a column or a struct is read as a key that is not there. Bytes,
such as pictures, are left out and said: a column that is bytes, a list of them or an object that holds them,
and further inside their key alone."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from finewright.errors import DataError, MissingExtra
from finewright.plugins import install_command
from finewright.rows.containers.found import Found, ReadRow, Repair, Unread, file_problem
from finewright.rows.containers.json_rules import DEEPEST, check_text, without_constants
from finewright.schema.common import Problem, without

_BATCH = 256


def parquet_rows(file: str, path: Path) -> Iterator[Found]:
    """The rows of a Parquet file, by their index from 1."""
    return _read_batches(file, path, "Parquet", _parquet_batches)


def arrow_rows(file: str, path: Path) -> Iterator[Found]:
    """The rows of an Arrow file or stream, by their index from 1."""
    return _read_batches(file, path, "Arrow", _arrow_batches)


# Any: pyarrow has no types for us, and rows are free JSON.
def _read_batches(
    file: str, path: Path, kind: str, batches: Callable[[Path], Iterator[Any]]
) -> Iterator[Found]:
    try:
        import pyarrow as pa
    except ImportError:
        raise MissingExtra(
            f"reading {kind} needs pyarrow", hint=install_command("[data]")
        ) from None
    row, said_of = 0, set[str]()
    try:
        for batch in batches(path):
            if twice := [n for n, num in Counter(batch.schema.names).items() if num > 1]:
                yield file_problem(
                    file, f"the column {twice[0]!r} is there twice", "rename one of them"
                )
                return
            of_bytes = _of_bytes(pa, batch.schema)
            yield from _left_out(file, of_bytes, said_of)
            texts = batch.drop_columns(of_bytes)
            may_hold_bytes = any("binary" in str(kind) for kind in texts.schema.types)
            for index in range(0, texts.num_rows, _BATCH):
                for item in _unpack_batch(texts.slice(index, _BATCH)):
                    row += 1
                    found, inner = _read_item(file, row, item, may_hold_bytes)
                    yield from _left_out(file, inner, said_of)
                    yield found
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)[:200]
        after = f" after row {row}; the rows after it are lost" if row else ""
        yield file_problem(file, f"broken {kind} file{after}: {reason}", "write it anew")


def _left_out(file: str, names: Iterable[str], said_of: set[str]) -> Iterator[Problem]:
    """That the bytes at these names are not read, once a name."""
    if fresh := [name for name in names if name not in said_of]:
        said_of.update(fresh)
        what = f"columns of bytes are not read: {', '.join(fresh)}"
        yield file_problem(file, what, "write as text what is trained on", level="warning")


def _of_bytes(pa: Any, schema: Any) -> list[str]:
    kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return [field.name for field in schema if any(is_kind(field.type) for is_kind in kinds)]


def _parquet_batches(path: Path) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as table:
        yield from table.iter_batches(batch_size=_BATCH)


def _arrow_batches(path: Path) -> Iterator[Any]:
    import pyarrow as pa

    with pa.OSFile(str(path)) as source:
        if source.read(6) == b"ARROW1":
            with pa.ipc.open_file(source) as table:
                for index in range(table.num_record_batches):
                    yield _validate_batch(table.get_batch(index))
        else:
            source.seek(0)
            with pa.ipc.open_stream(source) as stream:
                for batch in stream:
                    yield _validate_batch(batch)


def _validate_batch(batch: Any) -> Any:
    # Offsets of a damaged file can point outside it.
    batch.validate(full=True)
    return batch


def _unpack_batch(batch: Any) -> list[Any]:
    """The batch's rows; one whose text is no UTF-8 is its error."""
    try:
        return list(batch.to_pylist())
    except UnicodeDecodeError as error:
        if batch.num_rows == 1:
            return [error]
    return [item for i in range(batch.num_rows) for item in _unpack_batch(batch.slice(i, 1))]


class _RowRead(NamedTuple):
    """The row, and where bytes stood in it."""

    found: ReadRow | Unread
    of_bytes: Sequence[str] = ()


def _read_item(file: str, row: int, item: Any, may_hold_bytes: bool) -> _RowRead:
    if isinstance(item, UnicodeDecodeError):
        return _RowRead(
            Unread(file_problem(file, "text that is not UTF-8", "write the file anew", row))
        )
    inner: dict[str, None] = {}
    if may_hold_bytes:
        inner = dict.fromkeys(name for name, value in item.items() if _holds_bytes(value))
        item = _without_bytes(without(item, inner), "", inner)
    finite, keys = without_constants(item)
    repairs = tuple(Repair("not_a_number", key) for key in keys)
    try:
        return _RowRead(ReadRow(file, row, _convert_value("", finite, 0), repairs), list(inner))
    except DataError as error:
        return _RowRead(Unread(file_problem(file, str(error), error.hint, row)), list(inner))


def _holds_bytes(value: Any) -> bool:
    """Whether it is a list of bytes, or an object that holds bytes."""
    return _is_bytes(value) or (isinstance(value, dict) and any(map(_is_bytes, value.values())))


def _is_bytes(value: Any) -> bool:
    are_items = isinstance(value, list) and bool(value)
    return isinstance(value, bytes) or (are_items and all(isinstance(v, bytes) for v in value))


def _without_bytes(value: Any, place: str, inner: dict[str, None]) -> Any:
    """The value without keys that hold bytes, whose places are added to `inner`."""
    value = _object_of_map(value)
    if isinstance(value, list):
        return [_without_bytes(item, place, inner) for item in value]
    if not isinstance(value, dict):
        return value
    made = {}
    for name, item in value.items():
        inside = f"{place}.{name}" if place else name
        if _is_bytes(item):
            inner[inside] = None
        else:
            made[name] = _without_bytes(item, inside, inner)
    return made


def _object_of_map(value: Any) -> Any:
    """A map of Arrow's, which is a list of pairs, as an object."""
    if isinstance(value, list) and value and all(isinstance(item, tuple) for item in value):
        return {str(name): item for name, item in value}
    return value


def _convert_value(key: str, value: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise DataError(f"nested deeper than {DEEPEST} levels", hint="flatten the row")
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        check_text(value)
        return value
    return _convert_nested(key, _object_of_map(value), depth + 1)


def _convert_nested(key: str, value: Any, depth: int) -> Any:  # Any: as `_value`
    if isinstance(value, dict):
        return {
            name: _convert_value(name, item, depth)
            for name, item in value.items()
            if item is not None
        }
    if isinstance(value, list):
        return [_convert_value(key, item, depth) for item in value]
    return _scalar(key, value)


def _scalar(key: str, value: Any) -> Any:
    if isinstance(value, float):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    kind = type(value).__name__
    raise DataError(f"{kind} in {key!r}; text, numbers, lists and objects are read", hint="drop it")
