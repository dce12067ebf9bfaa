"""The arm `gepa`: a rewriter behind an address, the authors' library, and a search that is not paid twice."""

import json
from pathlib import Path

import pytest

import tiny
from finewright.errors import FetchError, SpecError
from finewright.report.show import write_page
from finewright.schema.load import load_spec
from finewright.schema.rows import Row
from finewright_advice.measure.arms import Prompts, preparing
from finewright_advice.measure.experiment import measure
from finewright_advice.schema.measure_report import MeasureReport
from served import Reply, answered, served

from .measuring import write_base, write_experiment

pytestmark = pytest.mark.torch

ARMS = "  arms: [0-shot, gepa]\n  solved: {metric: token_f1, at_least: 0.01}\n"


def run(project: Path, by: str, answers: int = 40) -> MeasureReport:
    write_experiment(project, measure=f"{ARMS}  gepa: {{by: '{by}', answers: {answers}}}\n")
    loaded = load_spec(project / "spec.yaml")
    return measure(loaded, project / "runs", on_event=lambda kind, fields: None)


def lines(project: Path) -> list[str]:
    (path,) = project.glob("runs/*/answers.jsonl")
    return path.read_text().splitlines()


def test_a_rewriter_sees_what_was_expected_and_a_search_is_not_paid_twice(tmp_path: Path) -> None:
    write_base(tmp_path)
    rewritten = "Answer with the amount in dollars."
    with served(lambda _: answered(f"Here:\n```\n{rewritten}\n```")) as server:
        report = run(tmp_path, f"{server.url}#m")
        asked = [json.dumps(each.body["messages"]) for each in server.asked]
    found = report.prompt
    assert found is not None
    assert found.rewrites == len(asked) > 0
    assert "Expected: $" in asked[0]
    assert "How much is the" in asked[0]
    # What is kept is what the library kept: the rewrite, or the question as it is.
    assert found.instructions in ("", rewritten)
    assert found.before.n == found.after.n == report.rows_dev
    assert found.after.value >= found.before.value
    # 2 development rows for the seed, then 3 rows twice a rewrite: distinct answers are at most that.
    assert 2 < found.answers <= 40 + 6
    kept = [json.loads(line)["reply"]["sample"]["system"] for line in lines(tmp_path)]
    tried = [name for name in kept if name.startswith("gepa ")]
    assert len(tried) == found.answers
    assert len(set(tried)) == 2  # the seed, and the one text that was ever written
    cost = {arm.arm: arm.cost.training_seconds for arm in report.arms}
    assert cost == {"0-shot": 0.0, "gepa": found.seconds}
    again = run(tmp_path, found.by)  # the server is gone: all is read back
    assert again.prompt == found
    write_page(again, tmp_path / "page.html")
    assert f"by {server.url}" in (tmp_path / "page.html").read_text()


def test_held_out_rows_are_never_shown_to_the_rewriter(tmp_path: Path) -> None:
    write_base(tmp_path)
    with served(lambda _: answered("```\nBe brief.\n```")) as server:
        run(tmp_path, f"{server.url}#m", answers=60)
        asked = json.dumps([each.body for each in server.asked])
    questions = [json.loads(line) for line in (tmp_path / "test.jsonl").read_text().splitlines()]
    assert not [row for row in questions if row["prompt"] in asked]


def test_a_rewriter_that_refuses_ends_the_search(tmp_path: Path) -> None:
    write_base(tmp_path)
    with (
        served(lambda _: Reply(status=401, body={"error": {"message": "no such key"}})) as server,
        pytest.raises(FetchError, match="no such key"),
    ):
        run(tmp_path, f"{server.url}#m")


def test_a_rewriter_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"measure\.gepa\.by"):
        run(tmp_path, "")


# ChatML templates that show no system prompt: one refuses it, one leaves it out.
TURNS = (
    "{% for m in messages %}{% if m['role'] != 'system' %}"
    "{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endif %}{% endfor %}"
)
REFUSES = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
)


@pytest.mark.parametrize("template", ["", TURNS, REFUSES + TURNS])
def test_every_chat_template_shows_the_instructions(template: str) -> None:
    chat = tiny.tiny_chat()
    chat.tokenizer.chat_template = template or chat.tokenizer.chat_template
    question = {"role": "user", "content": "the question"}
    row = Row("r", (question, {"role": "assistant", "content": "a"}), None, "rows.jsonl", 1)

    def ask(instructions: str) -> str:
        prepare = preparing("gepa", None, Prompts(instructions=instructions), chat)
        return chat.prompt(prepare(row).messages[:-1]).text

    assert "Be brief." in ask("Be brief.")
    assert "the question" in ask("Be brief.")
    assert ask("") == chat.prompt([question]).text
