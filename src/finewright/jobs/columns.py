"""Rows without the column that a reward compares answers with, found before a job is queued.

The first thousand rows are looked at, 2 MiB of them, so that any file is answered at once; the job itself
looks at all."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from finewright.gateway.errors import ApiError
from finewright.jobs.lengths import long_lines, row_fates
from finewright.rows.containers.manifest import StatedFile
from finewright.schema.rewards import RewardSpec
from finewright.train.rewards import lacking
from finewright.train.rows import rows_for


def check_columns(
    path: Path, filename: str, method: str, rewards: Mapping[str, RewardSpec]
) -> None:
    """Raise ApiError that names the rows of the file which lack a column; `rewards`: key of the request ->
    the reward that it asks for."""
    for number, columns in _columns(StatedFile(path, filename), method):
        for param, reward in rewards.items():
            if lacking(reward, [columns]):
                keys = ", ".join(columns) or "none"
                where = f"{param}: {filename}:{number}"
                what = f"the row has no {reward.column!r} to compare answers with; its other keys: {keys}"
                raise ApiError(f"{where}: {what}", param=param, code="invalid_file")


def _columns(part: StatedFile, method: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line -> what a reward sees of its row; rows that the method does not take are the job's to refuse."""
    for fate in row_fates(part, long_lines(part.path, 0).lines):
        for row in rows_for(method, fate.rows).rows:
            yield fate.row, row.columns
