"""What a template that asks for the day is told."""

import json
from pathlib import Path

import pytest

from finewright.errors import SpecError
from finewright.lm.load_chat import load_chat
from finewright.lm.sources import LocalBase
from finewright.schema.load import load_spec
from finewright.schema.run import DAY
from finewright.workbench.prepare import make_lock
from finewright.workbench.respec import _relock

pytestmark = pytest.mark.torch
ASKS = (
    "{{ strftime_now('%d %B %Y, %b %y %m') }}|"
    "{% for m in messages %}{{ m['content'] }}<|im_end|>{% endfor %}"
)
ROW = {"prompt": "a", "completion": "b"}


@pytest.fixture
def asking(tiny_folder: Path) -> Path:
    """A base model whose template asks for the day."""
    (tiny_folder / "chat_template.jinja").write_text(ASKS)
    return tiny_folder


def told(folder: Path, **switches: str) -> str:
    chat = load_chat(LocalBase("base", folder, "", "unknown"), options=switches)
    return chat.render([{"role": "user", "content": "x"}]).partition("|")[0]


def test_it_is_told_the_day_of_its_switch(asking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(asking) == "26 July 2024, Jul 24 07"  # as runs were from before the day was kept
    assert told(asking, strftime_now="2028-02-29") == "29 February 2028, Feb 28 02"
    monkeypatch.setenv("FINEWRIGHT_TODAY", "2026-12-31")
    assert told(asking, strftime_now="today") == "31 December 2026, Dec 26 12"
    for text in ("", "31.12.2026", "{{ 7 }}"):
        with pytest.raises(SpecError, match="strftime_now"):
            told(asking, strftime_now=text)


def spec_of(folder: Path, more: str = "") -> Path:
    (folder.parent / "rows.jsonl").write_text(json.dumps(ROW) + "\n")
    path = folder.parent / "spec.yaml"
    path.write_text(
        f"name: x\nbase_models: [{folder}]\n"
        f"data: {{sources: [{{path: rows.jsonl, license: MIT, owner: me}}]}}\n{more}"
    )
    return path


def test_a_run_is_told_the_day_on_which_it_began_and_keeps_it(
    asking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINEWRIGHT_TODAY", "2026-12-31")
    loaded = load_spec(spec_of(asking))
    lock = make_lock(loaded, {})
    assert lock.spec.chat_template == {DAY: "2026-12-31"}
    monkeypatch.setenv("FINEWRIGHT_TODAY", "2027-01-01")
    assert _relock(lock, loaded, {}).spec.chat_template == {DAY: "2026-12-31"}


def test_a_spec_names_another_day(asking: Path) -> None:
    lock = make_lock(load_spec(spec_of(asking, "chat_template: {strftime_now: 2024-07-26}\n")), {})
    assert lock.spec.chat_template == {DAY: "2024-07-26"}


def test_no_day_is_kept_where_the_template_asks_for_none(tiny_folder: Path) -> None:
    assert make_lock(load_spec(spec_of(tiny_folder)), {}).spec.chat_template == {}
