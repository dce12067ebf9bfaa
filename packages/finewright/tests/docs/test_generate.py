"""The generated pages say what the code is now, and every metric and key has a line."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[4] / "docs"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_generate"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["reference.md", "architecture.md", "guide.md", "sdk.md"])
def test_a_generated_page_is_fresh(generator: ModuleType, name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == generator.pages()[name]


def test_what_packages_bring_is_fresh(generator: ModuleType) -> None:
    kept = (generator.SRC / "packages.json").read_text(encoding="utf-8")
    assert kept == generator.brought()


def test_the_sdk_is_small_and_every_name_of_it_says_what_it_is(generator: ModuleType) -> None:
    names = dir(generator.sdk)
    assert len(names) <= 80
    assert [name for name in names if not hasattr(generator.sdk, name)] == []
    meant = {name: generator.meaning_of(generator.sdk._homes()[name], name) for name in names}
    assert [name for name, what in meant.items() if not what] == []


def test_every_folder_of_the_package_is_on_a_floor(generator: ModuleType) -> None:
    found = {path.parent.name for path in generator.SRC.glob("*/__init__.py")}
    assert set(generator.folders()) == found


def test_every_claim_of_the_guide_has_a_verdict_a_source_and_a_proof(generator: ModuleType) -> None:
    rows = generator.yaml.safe_load((DOCS / "guide.yaml").read_text(encoding="utf-8"))
    assert len(rows) >= 15
    for row in rows:
        assert str(row["verdict"]).lower() in {"true", "imprecise", "wrong", "depends"}
        assert row["by"]
        assert (DOCS.parent / row["shown"]).exists()


def test_lora_alone_never_saves_ten_times_and_four_bits_may(generator: ModuleType) -> None:
    falls = list(sys.modules["guide"].memory_falls())
    assert len(falls) >= 20
    assert all(1 < plain < 10 for _, plain, _ in falls)
    assert 10 < max(packed for _, _, packed in falls) < 100
