"""Features are tried by their commands too; attacks on a run share a tiny one."""

from cli.conftest import finewright, project
from leakage.leaking_run import leaking

__all__ = ["finewright", "leaking", "project"]
