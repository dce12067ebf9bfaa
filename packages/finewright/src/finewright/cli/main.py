"""`finewright`: parse, call one function, show its report. No logic lives here, nothing heavy loads here."""

import os
import signal
import sys
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from finewright.cli.progress import close_line
from finewright.cli.verbs import group, verbs
from finewright.errors import FinewrightError
from finewright.fetch.telemetry import turn_off_telemetry
from finewright.lm.runtime import share_cores

_SENTENCE = "Adapt a language model to your own task, on your own machines, and prove what you did."


def _print_version(wanted: bool) -> None:
    if wanted:
        from finewright import __version__

        sys.stdout.write(f"finewright {__version__}\n")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """The options of `finewright` itself."""


def app() -> Any:  # Any: a group of typer's
    """The whole command line."""
    return group(_SENTENCE, verbs(), _options)


def main() -> None:
    """Run the command line; every error is one line and an exit code, never a traceback."""
    os.environ["PYTHONSAFEPATH"] = (
        "1"  # no process started here imports what lies in the working folder
    )
    before = signal.signal(signal.SIGTERM, _unwind)
    share_cores()
    turn_off_telemetry()
    if (
        "_FINEWRIGHT_COMPLETE" in os.environ
    ):  # a shell asks, by the script of `finewright completion`
        from typer._completion_classes import completion_init

        completion_init()
    try:
        code = app()(prog_name="finewright", standalone_mode=False)
    except FinewrightError as error:
        _fail(str(error), error.hint, error.exit_code)
    except _UsageError as error:
        _fail_usage(error)
    except ModuleNotFoundError as error:
        from finewright.extras import missing_extra

        missing = missing_extra(error)
        if missing is None:
            raise
        _fail(str(missing), missing.hint, missing.exit_code)
    except BaseException:
        if not _Terminated.is_raised:
            raise
        # Of whatever a library made of it on its way. Whoever waits learns what ended the process.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    sys.exit(code if isinstance(code, int) else 0)


class _Terminated(BaseException):
    """SIGTERM unwinds like Ctrl-C, so that what a command holds open is put away; commands with stages of
    their own ask for a stop between their steps instead (`workbench.signals`)."""

    is_raised = False


def _unwind(number: int, frame: FrameType | None) -> NoReturn:
    _Terminated.is_raised = True
    raise _Terminated


# Typer gives the class of all mistakes on the command line no name of its own.
_UsageError: Any = typer.BadParameter.__base__  # Any: from a class that is looked up


def _fail_usage(error: Any) -> NoReturn:  # Any: see _UsageError
    context, message = error.ctx, error.format_message()
    # A group of commands alone is answered by its help.
    if context and message == context.get_help():
        sys.stderr.write(f"{message}\n")
        sys.exit(2)
    _fail(message, f"{context.command_path} --help" if context else "finewright --help", 2)


def _fail(message: str, hint: str, code: int) -> NoReturn:
    """Say what is wrong on stderr; to a program that asked for JSON, as JSON on stdout too."""
    from finewright.cli.output import paint, show_json

    close_line()
    lines = f"error: {message}\n" + (f" hint: {hint}\n" if hint else "")
    sys.stderr.write(paint(lines, sys.stderr))
    if "--json" in sys.argv[1:]:
        show_json({"error": message, "hint": hint, "code": code})
    sys.exit(code)


if __name__ == "__main__":
    main()
