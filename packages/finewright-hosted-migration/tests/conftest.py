"""The command line and the tiny models of the core's tests."""

from tests.conftest import tiny_folder, tiny_model, tiny_tokenizer

from cli.conftest import finewright, project

__all__ = ["finewright", "project", "tiny_folder", "tiny_model", "tiny_tokenizer"]
