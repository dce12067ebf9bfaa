"""Log lines that nobody has to wait for: a thread writes them, so that a pipe which nobody empties stops no
server. What does not fit is left out, counted, and said when there is room again."""

import logging
import queue
import threading
from typing import TextIO

_MOST = 1000
_LAST_SECONDS = 1.0


class UnhurriedHandler(logging.Handler):
    """Writes to a stream from a thread of its own, up to `most` lines behind."""

    def __init__(self, stream: TextIO, most: int = _MOST) -> None:
        super().__init__()
        self._stream, self._num_lost = stream, 0
        self._lines: queue.Queue[str | None] = queue.Queue(most)
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Never waits."""
        try:
            if self._num_lost:
                self._lines.put_nowait(
                    f"{self._num_lost} lines of the log were lost: nobody read it"
                )
                self._num_lost = 0
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._num_lost += 1

    def close(self) -> None:
        """Write what is left, for a second at most."""
        try:
            self._lines.put_nowait(None)
            self._thread.join(_LAST_SECONDS)
        except queue.Full:
            pass
        super().close()

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # whoever read it is gone
                return
