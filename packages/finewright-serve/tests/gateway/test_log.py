"""Lines of the log, and a reader that reads nothing."""

import logging
import os
import threading
import time

from finewright_serve.gateway.log import UnhurriedHandler

LONG = "x" * 1000


def test_a_pipe_that_nobody_empties_holds_nobody_up_and_what_was_lost_is_said() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading) as reader:
        handler = UnhurriedHandler(stream, most=50)
        begun = time.monotonic()
        for number in range(2000):
            handler.emit(logging.makeLogRecord({"msg": f"{number} {LONG}"}))
        assert time.monotonic() - begun < 1, "a pipe holds 64 KiB, and these are 2 MB"
        shown: list[str] = []
        taking = threading.Thread(target=lambda: shown.extend(reader), daemon=True)
        taking.start()
        end = time.monotonic() + 30
        while handler._lines.qsize() and time.monotonic() < end:
            time.sleep(0.01)
        handler.emit(logging.makeLogRecord({"msg": "the last"}))
        handler.close()
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)
        taking.join(30)
    numbers = [int(line.split()[0]) for line in shown if LONG in line]
    assert numbers == sorted(numbers)
    lost = [int(line.split()[0]) for line in shown if "were lost" in line]
    assert lost
    assert sum(lost) + len(numbers) == 2000
    assert shown[-1] == "the last\n"
