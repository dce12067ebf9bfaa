"""What libraries would tell their makers, turned off before they are imported."""

import os

_OFF = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # onnxruntime, which markitdown brings, keeps an id of the machine and a queue of events to send.
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def turn_off_telemetry() -> None:
    """Set each library's own switch, in this process and those that it starts.

    What the user has set stays. Call it before the first import of a library that knows one."""
    for name, value in _OFF.items():
        os.environ.setdefault(name, value)
