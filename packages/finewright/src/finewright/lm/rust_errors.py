"""What safetensors and tokenizers, which are written in Rust, say of a write that failed."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

_NUMBER = re.compile(r"\(os error (\d+)\)")


@contextmanager
def rust_os_errors() -> Iterator[None]:
    """They raise errors of classes of their own with the system's number in the text: raise the OSError that
    it was."""
    try:
        yield
    except Exception as error:
        found = _NUMBER.search(str(error))
        if isinstance(error, OSError) or found is None:
            raise
        number = int(found[1])
        raise OSError(number, os.strerror(number)) from None
