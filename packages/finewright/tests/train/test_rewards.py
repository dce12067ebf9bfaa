"""Rewards: each kind's number, the weighted sum, and what is found out before training."""

import hashlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from by_hand import candidate_of
from finewright.errors import SpecError, StageError
from finewright.schema.common import Problem
from finewright.schema.rewards import RewardSpec
from finewright.schema.train import TrainReport
from finewright.train.rewards import Judge, PolicyAnswer, Rewards, build, check
from trusting import trust_code

PROMPT = ({"role": "user", "content": "How many?"},)
CODE = "def politeness(answer, row):\n    return row['messages'][0]['content'].count('?')\n"
CONSENT = hashlib.sha256(CODE.encode()).hexdigest()
STRING = '{"type": "string"}'


def answered(text: str, **columns: Any) -> PolicyAnswer:
    return PolicyAnswer(text, PROMPT, columns, stopped=True)


def no_reward_model(run: Path) -> Judge:
    raise AssertionError(f"asked for {run}")


def made(folder: Path, *specs: RewardSpec) -> Rewards:
    return build(specs, folder.joinpath, no_reward_model)


def checked(
    folder: Path, spec: RewardSpec, rows: Sequence[Mapping[str, Any]] = ()
) -> list[Problem]:
    return check([spec], rows, folder.joinpath)


def reward_run(folder: Path, method: str = "reward") -> None:
    """As much of a run as says what it trained."""
    candidate = candidate_of("tiny", method=method, adapter="train/tiny/adapter")
    (folder / "train").mkdir(parents=True)
    for name in ("manifest.json", "spec.yaml", "spec.lock.yaml"):
        (folder / name).write_text("{}")
    report = TrainReport(candidates=(candidate,)).model_dump_json()
    (folder / "train" / "report.json").write_text(report)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    trust_code(CONSENT)
    reward_run(tmp_path / "dpo", method="dpo")
    (tmp_path / "mine.py").write_text(CODE)
    (tmp_path / "string.json").write_text(STRING)
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "latin.json").write_bytes(b'"\xe9"')
    return tmp_path


@pytest.mark.parametrize(
    ("function", "text", "columns", "value"),
    [
        ("exact", "a  b", {"answer": "a b"}, 1.0),
        ("exact", "true", {"answer": True}, 1.0),
        ("exact", '{"b": 2, "a": [1]}', {"answer": {"a": [1], "b": 2}}, 1.0),
        ("numeric", "so it is 42.", {"answer": "#### 42"}, 1.0),
        ("numeric", "42", {"answer": 42}, 1.0),
        ("numeric", "41", {"answer": 42}, 0.0),
        ("valid_json", "[]", {}, 1.0),
        ("json_f1", '{"a": 1, "b": 2}', {"answer": {"a": 1, "b": 3}}, 0.5),
        ("json_schema", '"x"', {"answer": STRING}, 1.0),
        ("json_schema", "7", {"answer": {"type": "string"}}, 0.0),
        ("json_schema:string.json", '"x"', {}, 1.0),
        (r"regex:\d:\d\d", "4:20", {}, 1.0),
        ("python:mine.py:politeness", "", {}, 1.0),
    ],
)
def test_each_kind_judges_an_answer(
    folder: Path, function: str, text: str, columns: dict[str, Any], value: float
) -> None:
    rewards = made(folder, RewardSpec(function=function, consent=CONSENT))
    assert rewards.score([answered(text, **columns)]).totals == [value]


def test_rewards_add_up_by_weight_and_report_their_own_means(folder: Path) -> None:
    rewards = made(
        folder,
        RewardSpec(function="numeric", weight=2.0),
        RewardSpec(function="numeric", column="other"),
        RewardSpec(function="python:mine.py:politeness", weight=-0.5, consent=CONSENT),
        RewardSpec(function="regex:yes.*"),
        RewardSpec(function="regex:.*5"),
    )
    scored = rewards.score(
        [answered("yes, 4", answer=4, other=5), answered("5", answer=4, other=5)]
    )
    assert scored.totals == [2.0 + 0.0 - 0.5 + 1.0 + 0.0, 0.0 + 1.0 - 0.5 + 0.0 + 1.0]
    assert scored.means == {
        "reward/numeric": 0.5,
        "reward/numeric_2": 0.5,
        "reward/politeness": 1.0,
        "reward/regex": 0.5,
        "reward/regex_2": 0.5,
    }


def test_a_reward_model_comes_from_the_caller_and_sees_all_answers(folder: Path) -> None:
    asked = []

    def load(run: Path) -> Judge:
        asked.append(run)
        return lambda answers: [float(len(a.text)) for a in answers]

    reward_run(folder / "judge")
    rewards = build([RewardSpec(function="reward_model:judge")], folder.joinpath, load)
    assert asked == [folder / "judge"]
    assert rewards.score([answered("ab"), answered("")]) == (
        [2.0, 0.0],
        {"reward/reward_model": 1.0},
    )


def test_a_reward_model_that_gives_nan_is_an_error(folder: Path) -> None:
    reward_run(folder / "judge")
    spec = RewardSpec(function="reward_model:judge")
    rewards = build([spec], folder.joinpath, lambda _: lambda _: [float("nan")])
    with pytest.raises(StageError, match="reward reward_model gave nan for 'ab'"):
        rewards.score([answered("ab")])


@pytest.mark.parametrize("columns", [{"result": 4, "topic": "x"}, {"answer": None}])
def test_a_row_without_its_column_says_what_it_has(folder: Path, columns: dict[str, Any]) -> None:
    rewards = made(folder, RewardSpec(function="numeric"))
    with pytest.raises(
        StageError, match=f"no 'answer' to reward by; its keys: {', '.join(columns)}"
    ):
        rewards.score([answered("4", **columns)])


WRONG = [
    ("json_schema:gone.json", "gone.json: No such file or directory"),
    ("json_schema:broken.json", "broken.json: the JSON Schema is not one JSON text"),
    ("json_schema:latin.json", "latin.json: not UTF-8"),
    ("json_schema:.", "Is a directory"),
    ("regex:(", "not a regular expression"),
    ("python:gone.py:f", "gone.py: No such file or directory"),
    ("python:mine.py:politeness", "does not run unasked"),
    ("reward_model:gone", "gone: no such run folder"),
    ("reward_model:.", "is no run folder; it lacks spec.yaml"),
    ("reward_model:dpo", "this run trained by dpo, and a reward is one reward model"),
]


@pytest.mark.parametrize(("function", "said"), WRONG)
def test_check_and_build_say_the_same_of_what_cannot_be_made(
    folder: Path, function: str, said: str
) -> None:
    spec = RewardSpec(function=function)
    (problem,) = checked(folder, spec)
    assert problem.level == "error"
    assert problem.key == "train.rewards.0"
    assert said in problem.message
    with pytest.raises(SpecError) as caught:
        made(folder, spec)
    assert str(caught.value) == f"train.rewards.0: {problem.message}"
    assert caught.value.hint == problem.hint


def test_a_changed_file_needs_a_consent_of_its_own(folder: Path) -> None:
    (problem,) = checked(folder, RewardSpec(function="python:mine.py:politeness", consent="0" * 64))
    assert "not the code that the spec names" in problem.message
    assert f"write consent: sha256:{CONSENT} into the spec" in problem.hint


def test_check_runs_none_of_the_users_code(folder: Path) -> None:
    code = f"open({str(folder / 'ran')!r}, 'w')\n{CODE}"
    (folder / "mine.py").write_text(code)
    consent = hashlib.sha256(code.encode()).hexdigest()
    trust_code(consent)
    spec = RewardSpec(function="python:mine.py:politeness", consent=consent)
    assert checked(folder, spec) == []
    assert not (folder / "ran").exists()


def test_check_counts_the_rows_without_the_column(folder: Path) -> None:
    rows = [{"answer": "1"}, {"result": "1", "topic": "x"}, {}, {"answer": None}]
    (problem,) = checked(folder, RewardSpec(function="exact"), rows)
    assert problem.line() == (
        "train.rewards.0.column: 3 of 4 rows have no 'answer', first row 2 (its other keys: result, topic)"
    )


@pytest.mark.parametrize(
    ("function", "values", "level", "why"),
    [
        ("numeric", ["none", "7"], "warning", "numeric finds nothing in 'none'"),
        ("json_f1", ["not json", "{}"], "warning", "json_f1 finds nothing in 'not json'"),
        ("json_schema", ['{"type": 7}', "true"], "error", "not a valid JSON Schema: $.type: 7 is"),
    ],
)
def test_check_counts_the_rows_that_no_answer_can_match(
    folder: Path, function: str, values: Sequence[str], level: str, why: str
) -> None:
    rows = [{"answer": values[i]} for i in (1, 0, 1, 0)]
    (problem,) = checked(folder, RewardSpec(function=function), rows)
    assert problem.level == level
    assert problem.message.startswith(
        f"in 2 of 4 rows no answer can match 'answer', first row 2: {why}"
    )


@pytest.mark.parametrize(
    "function", ["valid_json", "regex:a", "json_schema:string.json", "reward_model:judge"]
)
def test_rewards_of_the_answer_alone_need_no_column(folder: Path, function: str) -> None:
    reward_run(folder / "judge")
    assert checked(folder, RewardSpec(function=function), [{}]) == []


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("column", {"function": "valid_json", "column": "label"}),
        ("column", {"function": "regex:a", "column": "label"}),
        ("consent", {"function": "exact", "consent": "sha256:0"}),
    ],
)
def test_a_key_that_a_reward_does_not_read_is_refused(
    folder: Path, key: str, settings: dict[str, str]
) -> None:
    rows = [{"answer": "A", "label": "B"}]
    (problem,) = checked(folder, RewardSpec.model_validate(settings), rows)
    assert (problem.level, problem.key) == ("error", f"train.rewards.0.{key}")


def test_checking_rewards_needs_no_torch() -> None:
    code = "import sys, finewright.train.rewards; print({'torch', 'numpy', 'jsonschema'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_reward_of_another_package_is_found_by_its_name_before_training(folder: Path) -> None:
    (problem,) = check([RewardSpec(function="plugin:exakt")], [{"answer": "A"}], Path)
    assert (problem.level, problem.key) == ("error", "train.rewards.0")
    assert (problem.message, problem.hint) == ("no reward named 'exakt'", "did you mean 'exact'?")
