"""The commands that load something of a run, called from within its folder: `ask_run.py [TRUSTED ...]`.

Files and folders that are named are trusted first. Prints how each command ended."""

import io
import os
import signal
import sys
import threading
import traceback
from contextlib import redirect_stderr, redirect_stdout
from datetime import date
from pathlib import Path

from finewright.cli.main import main
from finewright.workbench.trust import trust_code

# A server that has begun to listen is ended after this.
SERVES_S = 20
COMMANDS = (
    ("verify", "."),
    ("runs", "show", "."),
    ("check", "spec.yaml"),
    ("plan", "spec.yaml"),
    ("data", "check", "rows.jsonl"),
    ("predict", ".", "test.jsonl", "--out", "../answers.jsonl", "--max-new-tokens", "2"),
    ("evaluate", ".", "--data", "test.jsonl", "--max-new-tokens", "2", "--samples", "../s.jsonl"),
    ("chat", ".", "-p", "hello", "--max-new-tokens", "2"),
    ("chat", "base", "-p", "hello", "--max-new-tokens", "2"),
    ("export", ".", "--to", "merged", "--out", "../merged", "--prompts", "2"),
    ("cost", "spec.yaml"),
    ("serve", ".", "--port", "0"),
    ("train", "spec.yaml", "--runs", "../runs"),
    ("up", "."),
)


def ended(words: tuple[str, ...]) -> str:
    """The exit code of a command, or the exception that it did not catch."""
    sys.argv = ["finewright", *words]
    timer = threading.Timer(SERVES_S, os.kill, (os.getpid(), signal.SIGTERM))
    if words[0] == "serve":
        timer.start()
    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            main()
    except SystemExit as end:
        return f"ended {end.code} {said.getvalue().strip().splitlines()[-2:]}"
    except BaseException:
        return f"traceback {traceback.format_exc().splitlines()[-1]}"
    finally:
        timer.cancel()
    return "ended"


if __name__ == "__main__":
    for path in sys.argv[1:]:
        trust_code(Path(path), date.today())
    for command in COMMANDS:
        sys.stdout.write(f"{ended(command)} <- {' '.join(command)}\n")
        sys.stdout.flush()
    sys.stdout.write("asked all\n")
