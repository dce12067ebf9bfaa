"""The site: every page of docs is in its navigation, and a link that leaves docs is shown as a path."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

ROOT = Path(__file__).parents[4]
HOOKS = runpy.run_path(str(ROOT / "docs" / "site.py"))


def test_every_page_is_in_the_navigation_once() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    groups = [next(iter(each.values())) for each in nav]
    named = [name for group in groups for name in ([group] if isinstance(group, str) else group)]
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert sorted(named) == sorted(pages)


def test_a_link_out_of_docs_is_a_path() -> None:
    page = SimpleNamespace(file=SimpleNamespace(src_uri="methods/dpo.md"))
    text = "[code](../../packages/a.py#L3), [here](../decisions.md), [web](https://example.org/a)"
    shown = HOOKS["on_page_markdown"](text, page=page, config=None, files=None)
    assert shown == "`packages/a.py`, [here](../decisions.md), [web](https://example.org/a)"


@pytest.mark.parametrize(
    ("tag", "is_foreign"),
    [
        ('<script src="https://example.org/a.js">', True),
        ('<link rel="stylesheet" href="//example.org/a.css">', True),
        ('<link rel="canonical" href="https://example.org/">', False),
        ('<a href="https://example.org/">', False),
        ('<script src="assets/a.js">', False),
    ],
)
def test_no_page_loads_from_another_host(tag: str, is_foreign: bool, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(tag)
    if not is_foreign:
        HOOKS["on_post_build"](config={"site_dir": tmp_path})
        return
    with pytest.raises(SystemExit, match="loads from another host"):
        HOOKS["on_post_build"](config={"site_dir": tmp_path})
