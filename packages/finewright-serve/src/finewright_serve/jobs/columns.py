"""Rows without the column that a reward compares answers with, found before a job is queued.

The first thousand rows are looked at, 2 MiB of them, so that any file is answered at once; the job itself
looks at all."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from finewright.rows.containers.card import StatedFile
from finewright.rows.containers.lines import Line
from finewright.schema.rewards import RewardSpec
from finewright.train.rewards import lacking
from finewright.train.rows import rows_for
from finewright_serve.gateway.errors import ApiError
from finewright_serve.jobs.lengths import row_fates


def check_columns(
    part: StatedFile, lines: Sequence[Line], method: str, rewards: Mapping[str, RewardSpec]
) -> None:
    """Raise ApiError that names the first of the file's lines whose row lacks a column; `rewards`: key of the
    request -> the reward that it asks for."""
    for number, columns in _columns(part, lines, method):
        for param, reward in rewards.items():
            if lacking(reward, [columns]):
                keys = ", ".join(columns) or "none"
                where = f"{param}: {part.name}:{number}"
                what = f"the row has no {reward.column!r} to compare answers with; its other keys: {keys}"
                raise ApiError(f"{where}: {what}", param=param, code="invalid_file")


def _columns(
    part: StatedFile, lines: Sequence[Line], method: str
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line -> what a reward sees of its row; rows that the method does not take are the job's to refuse."""
    for fate in row_fates(part, lines):
        for row in rows_for(method, fate.rows).rows:
            yield fate.row, row.columns
