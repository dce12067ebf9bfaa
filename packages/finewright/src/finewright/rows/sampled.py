"""The first rows of a file, by which its columns are told: by one row alone nobody sees a constant column."""

from functools import lru_cache
from itertools import islice
from pathlib import Path

from finewright.rows.containers.found import ReadRow
from finewright.rows.containers.manifest import StatedFile
from finewright.rows.containers.rows import rows_of
from finewright.rows.formats.proposals import proposals_of
from finewright.rows.formats.proposed import Proposals
from finewright.rows.notes import Json

# Enough to see constants, labels and who speaks; read again where rows of no known format stand.
MOST_ROWS = 100


class _Sample:
    """The file's first rows, and what is proposed for those of the same keys."""

    def __init__(self, part: StatedFile) -> None:
        rows = (found for found in rows_of(part) if isinstance(found, ReadRow))
        self.rows = [found.data for found in islice(rows, MOST_ROWS)]
        self.proposed: dict[frozenset[str], Proposals] = {}

    def proposals(self, data: Json) -> Proposals:
        """What could be made of rows with the keys of this one."""
        keys = frozenset(data)
        if keys not in self.proposed:
            alike = [row for row in self.rows if row.keys() == keys]
            if not alike:
                return proposals_of([data])
            self.proposed[keys] = proposals_of(alike)
        return self.proposed[keys]


def proposals_for(data: Json, part: StatedFile | None) -> Proposals:
    """What could be made of the row, by the first rows of its file where it has one."""
    if part is None or not part.path.is_file():
        return proposals_of([data])
    changed = part.path.stat()
    return _sample(
        part.path, part.name, part.encoding, changed.st_mtime_ns, changed.st_size
    ).proposals(data)


@lru_cache(maxsize=16)
def _sample(path: Path, name: str, encoding: str, changed_ns: int, size: int) -> _Sample:
    return _Sample(StatedFile(path, name, encoding=encoding))
