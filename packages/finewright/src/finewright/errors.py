"""Every error a user can meet. Each says what is wrong, where, and the next step.

* FinewrightError            exit 2   a mistake in the input, the spec or the machine, said in one line
  - SpecError                exit 2   the YAML is wrong (file, line, key)
  - DataError                exit 2   a data file is wrong (file, line, key)
  - ModelError               exit 2   a base model cannot be found, read or trusted
  - StoreError               exit 2   a run folder cannot be read or written (disk full, read-only, damaged)
  - UnknownPlugin            exit 2   no method or scorer of that name
  - FetchError               exit 2   a package could not be fetched or is not the one we pinned
    + RequestFiltered        exit 2   a server's own filter let a request not pass
  - MissingExtra             exit 3   an optional dependency is not installed
  - StageError               exit 4   a stage ran and failed
* Interrupted                exit 130 Ctrl-C or SIGTERM (143); what was reached is on disk
"""

import difflib
from collections.abc import Iterable


def suggest(word: str, choices: Iterable[str], otherwise: str = "") -> str:
    """`did you mean 'x'?` where a choice is spelled nearly like the word; else what is given for that."""
    close = difflib.get_close_matches(word, list(choices), n=1)
    return f"did you mean {close[0]!r}?" if close else otherwise


class FinewrightError(Exception):
    """A one-line message, an optional hint with the mend, and the exit code it ends the program with."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SpecError(FinewrightError):
    """The run spec is wrong; the message has one line per mistake: `file:line: key: what`."""


class DataError(FinewrightError):
    """A data file is wrong; the message has one line per mistake: `file:line: key: what`."""


class ModelError(FinewrightError):
    """A base model cannot be found, read or trusted."""


class StoreError(FinewrightError):
    """A run folder cannot be read or written."""


class UnknownPlugin(FinewrightError):  # noqa: N818 - reads as a claim where it is raised
    """Nothing of that kind has that name."""


class FetchError(FinewrightError):
    """A package could not be fetched, or it is not the one that was pinned."""


class RequestFiltered(FetchError):  # noqa: N818 - reads as a claim where it is raised
    """A server's own filter let a request not pass, so that no model saw it."""


class MissingExtra(FinewrightError):  # noqa: N818
    """An optional dependency is not installed; the hint is the install command."""

    exit_code = 3


class StageError(FinewrightError):
    """A stage ran and failed."""

    exit_code = 4


class Interrupted(FinewrightError):  # noqa: N818
    """The run was asked to stop and did so cleanly."""

    def __init__(self, message: str, *, signal_number: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.exit_code = 128 + signal_number
