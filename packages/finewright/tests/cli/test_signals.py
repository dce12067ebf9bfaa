"""A command that is asked to end puts away what it holds open."""

import signal
import subprocess
import sys
from pathlib import Path

COMMAND = """
import sys, time
from pathlib import Path
from finewright.cli import main
from finewright.store.atomic import replace_dir

def command(**_):
    with replace_dir(Path(sys.argv[1])) as new:
        (new / "part").write_text("half")
        print("open", flush=True)
        time.sleep(60)

main.app = lambda: command
main.main()
"""


def test_sigterm_leaves_nothing_half_written(tmp_path: Path) -> None:
    program = [sys.executable, "-c", COMMAND, str(tmp_path / "out")]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as began:
        assert began.stdout
        assert began.stdout.readline() == "open\n"
        assert len(list(tmp_path.iterdir())) == 1
        began.send_signal(signal.SIGTERM)
        assert began.wait(30) == -signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


WRAPPED = COMMAND.replace(
    "main.app = ",
    """
def wrapped(**_):
    try:
        command()
    except BaseException as error:
        raise RuntimeError("a library makes something else of it") from error

main.app = """,
).replace("lambda: command", "lambda: wrapped")


def test_sigterm_ends_what_makes_another_error_of_it(tmp_path: Path) -> None:
    program = [sys.executable, "-c", WRAPPED, str(tmp_path / "out")]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as began:
        assert began.stdout
        assert began.stderr
        assert began.stdout.readline() == "open\n"
        began.send_signal(signal.SIGTERM)
        assert (began.wait(30), began.stderr.read()) == (-signal.SIGTERM, "")
