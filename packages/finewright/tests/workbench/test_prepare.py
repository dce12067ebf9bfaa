"""From a spec to what a run is a function of: digests of its inputs, reasons of its defaults, its lock."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from finewright import __version__
from finewright.errors import DataError, StoreError
from finewright.schema.load import LoadedSpec, load_spec
from finewright.schema.lock import Lock
from finewright.schema.methods import SFTSpec
from finewright.store.atomic import sha256_file
from finewright.store.rundir import RunDir
from finewright.store.speclock import lock_of, lock_text
from finewright.workbench.prepare import input_digests, refuse_changed, run_key, spec_reasons

SPEC = """\
name: bot
base_models: [smollm2-135m-instruct]
data:
  sources: [{path: rows.jsonl, license: MIT}]
train: {epochs: 2}
evaluate: {data: [{path: test.jsonl}]}
"""


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedSpec:
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "rows.jsonl").write_text("rows")
    (tmp_path / "test.jsonl").write_text("test")
    return load_spec(tmp_path / "spec.yaml")


def lock_for(loaded: LoadedSpec, inputs: Mapping[str, str]) -> Lock:
    return Lock(
        finewright=__version__,
        code_sha256="0" * 64,
        root=str(loaded.path.parent),
        spec=loaded.spec,
        candidates={"smollm2-135m-instruct": SFTSpec(learning_rate=1e-3)},
        reasons={},
        inputs=dict(inputs),
    )


def test_every_file_and_model_that_a_spec_names_has_a_digest(loaded: LoadedSpec) -> None:
    found = input_digests(loaded)
    folder = loaded.path.parent
    assert found.keys() == {"data.sources.0.path", "evaluate.data.0.path", "base_models.0"}
    assert found["data.sources.0.path"] == sha256_file(folder / "rows.jsonl")
    assert found["evaluate.data.0.path"] == sha256_file(folder / "test.jsonl")
    assert len(found["base_models.0"]) == 64


@pytest.mark.parametrize(
    ("file", "key"), [("rows.jsonl", "data.sources.0.path"), ("test.jsonl", "evaluate.data.0.path")]
)
def test_a_stage_reads_what_its_run_was_begun_with(loaded: LoadedSpec, file: str, key: str) -> None:
    lock = lock_for(loaded, input_digests(loaded))
    refuse_changed(lock, "data")
    (loaded.path.parent / file).write_text("other rows")
    refuse_changed(lock, "train")  # reads the run's own copy of the rows
    with pytest.raises(StoreError, match=f"{key}: what it names has changed"):
        refuse_changed(lock, "data")


def test_training_reads_the_base_model_that_its_run_was_begun_with(loaded: LoadedSpec) -> None:
    lock = lock_for(loaded, input_digests(loaded) | {"base_models.0": "0" * 64})
    refuse_changed(lock, "data")
    with pytest.raises(StoreError, match=r"base_models\.0: what it names has changed"):
        refuse_changed(lock, "train")


def test_a_missing_file_is_named_by_its_key(loaded: LoadedSpec) -> None:
    (loaded.path.parent / "test.jsonl").unlink()
    with pytest.raises(DataError) as refused:
        input_digests(loaded)
    assert str(refused.value) == (
        f"{loaded.path}:6: evaluate.data.0.path: test.jsonl: there is no such file"
        " (paths start from the spec's own folder)"
    )


def test_a_folder_of_data_is_known_by_the_files_in_it(loaded: LoadedSpec) -> None:
    path = loaded.path.parent / "rows.jsonl"
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    (path / "a.jsonl").write_bytes(content)
    before = input_digests(loaded)["data.sources.0.path"]
    (path / "b.jsonl").write_bytes(content)
    assert input_digests(loaded)["data.sources.0.path"] != before


def test_a_run_is_named_by_spec_and_inputs_not_by_where_they_lie(loaded: LoadedSpec) -> None:
    inputs = input_digests(loaded)
    other = load_spec(loaded.path, ["train.epochs=3"])
    assert run_key(loaded, inputs) == run_key(load_spec(loaded.path), dict(inputs))
    assert run_key(loaded, inputs) != run_key(other, inputs)
    assert run_key(loaded, inputs) != run_key(loaded, inputs | {"base_models.0": "0"})


def test_other_switches_of_the_chat_template_are_another_run(loaded: LoadedSpec) -> None:
    inputs = input_digests(loaded)
    keys = [
        run_key(load_spec(loaded.path, [f"chat_template={switches}"]), inputs)
        for switches in ("{}", "{enable_thinking: true}", "{enable_thinking: false}")
    ]
    assert keys[0] == run_key(loaded, inputs)
    assert len(set(keys)) == 3


def test_only_what_the_user_left_open_gets_a_reason(loaded: LoadedSpec) -> None:
    reasons = dict(spec_reasons(loaded.spec, loaded.set_keys))
    assert reasons["train.batch_size"] == "steady for small sets"
    assert reasons["data.sources.0.owner"] == "only the owner can say it"
    assert reasons["train.adapter.r"].startswith("enough for behaviour")
    assert {"train.epochs", "data.sources.0.license", "name", "data.sources"}.isdisjoint(reasons)


def test_a_lock_is_read_back_as_it_was_written(loaded: LoadedSpec, tmp_path: Path) -> None:
    lock = lock_for(loaded, input_digests(loaded))
    run = RunDir(tmp_path)
    run.spec_lock.write_text(lock_text(lock))
    assert lock_of(run) == lock
    assert run.spec_lock.read_text().startswith("# Written by finewright")


@pytest.mark.parametrize("text", ["", "a: [", "finewright: 1\n", "!!python/object:os.system {}"])
def test_a_damaged_lock_is_refused(text: str, tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.spec_lock.write_text(text)
    with pytest.raises(StoreError, match="damaged, or written by another version"):
        lock_of(run)
