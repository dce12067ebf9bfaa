"""Features are tried by their commands too."""

from cli.conftest import finewright, project

__all__ = ["finewright", "project"]
