"""Every library that the core imports is one that it installs, or one whose extra it names."""

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from sys import stdlib_module_names

import pytest

import finewright
from finewright.errors import MissingExtra
from finewright.extras import EXTRA_OF, missing_extra

SRC = Path(finewright.__file__).parent
PROJECT = tomllib.loads((SRC.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
_IMPORT = re.compile(r"^ *(?:import|from) ([a-zA-Z_]\w*)[. ]", re.M)
NOT_ASKED_FOR = {
    "pdfminer": "markitdown",
    "mcp_types": "mcp",  # comes with it
    "anyio": "mcp",
    "referencing": "jsonschema",
    "jsonschema_specifications": "jsonschema",
    "tokenizers": "transformers",
    "httpx": "finewright-serve",
    "llguidance": "finewright-serve",
}
"""Modules that come with another package of their extra."""
ALWAYS = {"annotated_types", "cryptography", "jinja2", "pydantic", "typer", "yaml"}
ALWAYS |= {"markupsafe", "pydantic_core"}  # come with jinja2 and pydantic
SAY_IT_THEMSELVES = {"finewright", "pytest", "spacy", "xllamacpp"}


@pytest.mark.parametrize("module", EXTRA_OF)
def test_the_extra_of_a_module_installs_it(module: str) -> None:
    asked = [re.split(r"[\[><=!;~]", each)[0] for each in EXTRAS[EXTRA_OF[module]]]
    names = [n.lower().replace("_", "-") for n in packages_distributions().get(module, [module])]
    by = NOT_ASKED_FOR.get(module)
    assert {*names, by} & {name.lower().replace("_", "-") for name in asked}


def test_every_library_that_is_imported_is_installed_or_has_its_extra() -> None:
    texts = (path.read_text(encoding="utf-8") for path in SRC.rglob("*.py"))
    found = {name for text in texts for name in _IMPORT.findall(text)}
    libraries = found & packages_distributions().keys() - stdlib_module_names
    assert libraries - ALWAYS - SAY_IT_THEMSELVES == EXTRA_OF.keys() & libraries


def test_a_module_of_nobody_is_no_extra() -> None:
    assert missing_extra(ModuleNotFoundError(name="acme_scorers.x")) is None
    found = missing_extra(ModuleNotFoundError(name="pyarrow.parquet"))
    assert isinstance(found, MissingExtra)
    assert "pyarrow" in str(found)
