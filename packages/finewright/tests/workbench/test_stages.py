"""A stage runs when what decides its result changed, and only then."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from by_hand import context_of, run_in, spec_of
from finewright.errors import StoreError
from finewright.schema.data import DataReport
from finewright.schema.lock import Lock
from finewright.schema.methods import SFTSpec
from finewright.store.rundir import RunDir
from finewright.store.stage import StageContext
from finewright.workbench.stages import code_digest, digest_of, key_of, run_stage, stages

_, DATA, _, TRAIN, EVALUATE, *_ = stages()
Events = list[tuple[str, dict[str, object]]]


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    (tmp_path / "rows.jsonl").write_text('{"prompt": "Q", "completion": "A"}\n')
    return run_in(tmp_path)


@pytest.fixture
def said() -> Events:
    return []


@pytest.fixture
def make_context(run: RunDir, said: Events) -> Callable[..., StageContext]:
    def make(
        key: str = "", *, candidate: SFTSpec | None = None, **sections: object
    ) -> StageContext:
        return context_of(
            run.root.parents[1],
            run,
            spec_of(**sections),
            candidates={"m": candidate or SFTSpec()},
            key=key,
            emit=lambda event_type, /, **fields: said.append((event_type, fields)),
        )

    return make


Make = Callable[..., StageContext]


def test_equal_inputs_give_equal_keys(make_context: Make) -> None:
    assert key_of(DATA, make_context(), {"a": "1"}) == key_of(DATA, make_context(), {"a": "1"})


@pytest.mark.parametrize("stage", stages(), ids=lambda stage: stage.name)
def test_another_input_gives_every_stage_another_key(make_context: Make, stage) -> None:
    assert key_of(stage, make_context(), {"a": "1"}) != key_of(stage, make_context(), {"a": "2"})


def test_a_section_decides_over_its_own_stage_alone(make_context: Make) -> None:
    plain, changed = make_context(), make_context(evaluate={"max_new_tokens": 8})
    assert key_of(EVALUATE, plain, {}) != key_of(EVALUATE, changed, {})
    assert key_of(TRAIN, plain, {}) == key_of(TRAIN, changed, {})
    assert key_of(DATA, plain, {}) == key_of(DATA, changed, {})


def test_what_a_machine_fills_in_decides_over_training(make_context: Make) -> None:
    other = make_context(candidate=SFTSpec(learning_rate=0.5))
    assert key_of(TRAIN, make_context(), {}) != key_of(TRAIN, other, {})
    assert key_of(DATA, make_context(), {}) == key_of(DATA, other, {})


def test_a_stage_depends_on_the_files_of_those_it_reads(make_context: Make) -> None:
    before = key_of(TRAIN, make_context(), {})
    assert run_stage(DATA, make_context, {})
    assert key_of(TRAIN, make_context(), {}) != before


def test_a_stage_runs_once_and_is_fresh_after_that(
    make_context: Make, said: Events, run: RunDir
) -> None:
    assert run_stage(DATA, make_context, {}) is True
    assert run_stage(DATA, make_context, {}) is False
    assert [event for event, _ in said] == ["stage_started", "stage_ended", "stage_fresh"]
    assert run.read_report("data", DataReport).rows_train == 1


def test_a_missing_or_resized_file_makes_a_stage_run_again(make_context: Make, run: RunDir) -> None:
    run_stage(DATA, make_context, {})
    (run.root / "data/train.jsonl").write_text("")
    assert run_stage(DATA, make_context, {}) is True
    assert (run.root / "data/train.jsonl").stat().st_size > 0


def test_a_disk_error_inside_a_stage_is_one_of_ours(
    make_context: Make, monkeypatch: pytest.MonkeyPatch, run: RunDir
) -> None:
    def fail(_: StageContext) -> None:
        raise OSError(28, "No space left on device")

    stage = ModuleType("finewright.data.stage")
    monkeypatch.setattr(stage, "run", fail, raising=False)
    monkeypatch.setitem(sys.modules, "finewright.data.stage", stage)
    with pytest.raises(StoreError, match="the disk is full"):
        run_stage(DATA, make_context, {})
    assert not run.report_path("data").exists()


def test_the_code_has_one_digest() -> None:
    assert code_digest() == code_digest()
    assert len(code_digest()) == 64
    assert "code_sha256" in Lock.model_fields


def test_a_scorer_of_another_package_decides_over_what_is_measured_alone(
    make_context: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages_before = [key_of(stage, make_context(), {}) for stage in (DATA, TRAIN, EVALUATE)]
    (tmp_path / "acme_score.py").write_text("def shout(answer, expected):\n    return 1.0\n")
    info = tmp_path / "acme_score-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-score\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[finewright.scorer]\nshout = acme_score:shout\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    stages_after = [key_of(stage, make_context(), {}) for stage in (DATA, TRAIN, EVALUATE)]
    assert stages_after[:2] == stages_before[:2]
    assert stages_after[2] != stages_before[2]


@pytest.mark.parametrize("name", ["a.py", "a.yaml", "a.cpp", "a.h", "a.txt", "a.txt.xz"])
def test_each_file_that_decides_over_results_is_in_the_digest(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    digests = set()
    for content in (b"1", b"2"):
        package = f"digested_{name.replace('.', '_')}_{content.decode()}"
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        (tmp_path / package / name).write_bytes(content)
        digests.add(digest_of(package))
    assert len(digests) == 2


def test_the_code_of_another_package_decides_over_the_stage_that_it_brings(
    make_context: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = set()
    for name, text in (("toy_a", "pass\n"), ("toy_b", "pass\n"), ("toy_c", "return\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"def run(context):\n    {text}")
        (tmp_path / f"{name}_alone.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        for package in (name, f"{name}_alone"):
            keys.add(key_of(TRAIN._replace(run=f"{package}:run"), make_context(), {}))
    assert len(keys) == 4


def test_what_is_measured_decides_over_no_training(make_context: Make) -> None:
    other = make_context(evaluate={"data": [{"path": "other.jsonl", "limit": 3}]})
    inputs = ({"evaluate.data.0.path": "1"}, {"evaluate.data.0.path": "2"})
    assert key_of(TRAIN, make_context(), inputs[0]) == key_of(TRAIN, other, inputs[1])
    assert key_of(DATA, make_context(), {}) != key_of(DATA, other, {})
    assert key_of(EVALUATE, make_context(), inputs[0]) != key_of(
        EVALUATE, make_context(), inputs[1]
    )
