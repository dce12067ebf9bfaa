"""Files that are made to harm, given to the command that reads them: seconds, memory, what is said.

Each is to end in at most 5 CPU seconds and 512 MB of what the file itself costs, with exit code 2, one line
and no traceback."""

from pathlib import Path

from door_parts import Bar


def bars(folder: Path, small: bool) -> list[Bar]:
    return []
