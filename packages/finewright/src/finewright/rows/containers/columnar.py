"""Parquet and Arrow files, a batch at a time.

Arrow cannot leave a key out, so a null in a column or a struct is read as a key that is not there."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from finewright.errors import DataError, MissingExtra
from finewright.rows.containers.found import Found, ReadRow, Repair, Unread, said
from finewright.rows.containers.json_rules import DEEPEST, check_text, without_constants

_BATCH = 256


def parquet_rows(file: str, path: Path) -> Iterator[Found]:
    """The rows of a Parquet file, by their index from 1."""
    return _rows(file, path, "Parquet", _parquet_batches)


def arrow_rows(file: str, path: Path) -> Iterator[Found]:
    """The rows of an Arrow file or stream, by their index from 1."""
    return _rows(file, path, "Arrow", _arrow_batches)


# Any: pyarrow has no types for us, and rows are free JSON.
def _rows(
    file: str, path: Path, kind: str, batches: Callable[[Path], Iterator[Any]]
) -> Iterator[Found]:
    try:
        import pyarrow as pa
    except ImportError:
        raise MissingExtra(
            f"reading {kind} needs pyarrow", hint='pip install "finewright[data]"'
        ) from None
    row, is_said = 0, False
    try:
        for batch in batches(path):
            if twice := [n for n, num in Counter(batch.schema.names).items() if num > 1]:
                yield said(file, f"the column {twice[0]!r} is there twice", "rename one of them")
                return
            left_out = _of_bytes(pa, batch.schema)
            if left_out and not is_said:
                is_said = True
                what = f"columns of bytes are not read: {', '.join(left_out)}"
                yield said(file, what, "write as text what is trained on", level="warning")
            texts = batch.drop_columns(left_out)
            for index in range(0, texts.num_rows, _BATCH):
                for item in _plain(texts.slice(index, _BATCH)):
                    row += 1
                    yield _row(file, row, item)
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)[:200]
        after = f" after row {row}; the rows after it are lost" if row else ""
        yield said(file, f"broken {kind} file{after}: {reason}", "write it anew")


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
                    yield _checked(table.get_batch(index))
        else:
            source.seek(0)
            with pa.ipc.open_stream(source) as stream:
                for batch in stream:
                    yield _checked(batch)


def _checked(batch: Any) -> Any:
    # Offsets of a damaged file can point outside it.
    batch.validate(full=True)
    return batch


def _plain(batch: Any) -> list[Any]:
    """The batch's rows; one whose text is no UTF-8 is its error."""
    try:
        return list(batch.to_pylist())
    except UnicodeDecodeError as error:
        if batch.num_rows == 1:
            return [error]
    return [item for i in range(batch.num_rows) for item in _plain(batch.slice(i, 1))]


def _row(file: str, row: int, item: Any) -> ReadRow | Unread:
    if isinstance(item, UnicodeDecodeError):
        return Unread(said(file, "text that is not UTF-8", "write the file anew", row))
    finite, keys = without_constants(item)
    repairs = tuple(Repair("not_a_number", key) for key in keys)
    try:
        return ReadRow(file, row, _value("", finite, 0), repairs)
    except DataError as error:
        return Unread(said(file, str(error), error.hint, row))


def _value(key: str, value: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise DataError(f"nested deeper than {DEEPEST} levels", hint="flatten the row")
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        check_text(value)
        return value
    if isinstance(value, list) and value and all(isinstance(item, tuple) for item in value):
        value = {str(name): item for name, item in value}
    return _nested(key, value, depth + 1)


def _nested(key: str, value: Any, depth: int) -> Any:  # Any: as `_value`
    if isinstance(value, dict):
        return {name: _value(name, item, depth) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_value(key, item, depth) for item in value]
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
