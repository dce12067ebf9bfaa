"""Two runs as one: the weights as PEFT merges them, the record of both, and what is refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

import tiny
import tiny_run
from finewright.data.provenance.trace import without
from finewright.errors import FinewrightError
from finewright.lm.adapters import files
from finewright.lm.adapters.merge import merge_adapters
from finewright.schema.load import load_spec
from finewright.schema.report import RunReport
from finewright.store.manifest import read_manifest
from finewright.store.rundir import open_run
from finewright.workbench.lineage import show_lineage
from finewright.workbench.merge import Merge, merge
from finewright.workbench.runs import verify
from finewright.workbench.up import resume, up

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs of other ranks and layers on one base."""
    folder = tmp_path_factory.mktemp("merge")
    one = tiny_run.trained(folder, "{type: lora, r: 2, alpha: 4}")
    adapter = "{type: lora, r: 3, alpha: 3, target_modules: [q_proj, v_proj]}"
    loaded = load_spec(
        folder / "spec.yaml", ["name=other", f"train.adapter={adapter}", "train.seed=5"]
    )
    other = up(loaded, folder / "runs", on_event=tiny_run.nothing, through="train")
    return one, Path(other.summary.run)


def folders(runs: tuple[Path, Path]) -> list[Path]:
    return [run / "train/base/adapter" for run in runs]


def deltas_by_peft(
    runs: tuple[Path, Path], combination: str, **how: object
) -> dict[str, torch.Tensor]:
    """What PEFT's merge of both adapters adds to each layer."""
    base = AutoModelForCausalLM.from_pretrained(runs[0].parents[1] / "base", dtype=torch.float32)
    one, other = folders(runs)
    model = PeftModel.from_pretrained(base, one, adapter_name="one")
    model.load_adapter(other, adapter_name="other")
    model.base_model.add_weighted_adapter(
        ["one", "other"], [0.7, 0.3], "merged", combination_type=combination, **how
    )
    return {
        name.removeprefix("base_model.model."): part.get_delta_weight("merged").detach()
        for name, part in model.named_modules()
        if "merged" in getattr(part, "lora_A", {})
    }


def deltas(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    ends = ".lora_A.weight"
    return {
        name.removeprefix("base_model.model.").removesuffix(ends): (
            tensors[name.replace("lora_A", "lora_B")] @ tensors[name]
        )
        for name in tensors
        if name.endswith(ends)
    }


def test_linear_is_pefts_concatenation(runs: tuple[Path, Path]) -> None:
    found = merge_adapters(folders(runs), "linear", (0.7, 0.3), density=1.0, seed=0)
    assert (found.rank, found.left_out) == (5, 0.0)
    ours, theirs = deltas(found.tensors), deltas_by_peft(runs, "cat")
    for path, delta in theirs.items():
        torch.testing.assert_close(ours[path], delta, rtol=1e-5, atol=1e-7)


def test_ties_is_pefts_on_the_layers_of_both(runs: tuple[Path, Path]) -> None:
    found = merge_adapters(folders(runs), "ties", (0.7, 0.3), density=0.2, seed=0)
    theirs = deltas_by_peft(runs, "ties_svd", svd_rank=5, density=0.2)
    ours = deltas(found.tensors)
    assert 0 < found.left_out < 1
    both = [path for path in ours if path.endswith(("q_proj", "v_proj"))]
    for path in both:
        torch.testing.assert_close(ours[path], theirs[path], rtol=1e-3, atol=1e-6)


def test_dare_is_the_sum_on_average_and_the_same_for_a_seed(runs: tuple[Path, Path]) -> None:
    whole = deltas(merge_adapters(folders(runs), "linear", (0.5, 0.5), density=1, seed=0).tensors)
    path = next(iter(whole))
    drawn = [
        deltas(merge_adapters(folders(runs), "dare", (0.5, 0.5), density=0.9, seed=s).tensors)[path]
        for s in range(40)
    ]
    again = merge_adapters(folders(runs), "dare", (0.5, 0.5), density=0.9, seed=0)
    assert torch.equal(deltas(again.tensors)[path], drawn[0])
    assert not torch.equal(drawn[0], drawn[1])
    mean = torch.stack(drawn).mean(0)
    assert (mean - whole[path]).norm() < 0.15 * whole[path].norm()


@pytest.fixture(scope="module")
def merged(runs: tuple[Path, Path]) -> RunReport:
    wanted = Merge((str(runs[0]), str(runs[1])), "ties", name="both")
    return merge(wanted, runs[0].parent, on_progress=tiny_run.nothing)


def test_it_is_a_run_with_both_parents_measured_beside_it(
    merged: RunReport, runs: tuple[Path, Path]
) -> None:
    run = open_run(Path(merged.summary.run))
    assert merged.summary.state == "finished"
    records = read_manifest(run).parents or ()
    assert [record.run for record in records] == [each.name for each in runs]
    assert merged.evaluate is not None
    scored = {(score.system, score.data) for score in merged.evaluate.scores}
    systems = {name for name, _ in scored}
    assert {run.root.name, *(each.name for each in runs)} < systems
    assert [Path(name).name for name in systems - {run.root.name} if "base" in name] == ["base"]
    assert {data for _, data in scored} == {f"{each.name}.eval" for each in runs}
    compared = {(d.system, d.against) for d in merged.evaluate.differences}
    assert {(run.root.name, each.name) for each in runs} < compared
    assert len(compared) == 3
    assert [p.line() for p in verify(run.root).problems if p.level == "error"] == []
    nodes = show_lineage(run.root).nodes
    assert [(node.depth, node.run) for node in nodes] == [
        (0, run.root.name),
        *((1, each.name) for each in runs),
    ]


def test_peft_loads_what_is_stored(merged: RunReport, runs: tuple[Path, Path]) -> None:
    folder = Path(merged.summary.run) / "train/merged/adapter"
    base = AutoModelForCausalLM.from_pretrained(runs[0].parents[1] / "base", dtype=torch.float32)
    before = {name: t.clone() for name, t in base.state_dict().items()}
    whole = PeftModel.from_pretrained(base, folder).merge_and_unload().state_dict()
    for path, delta in deltas(files.read_tensors(folder)).items():
        change = whole[f"{path}.weight"] - before[f"{path}.weight"]
        torch.testing.assert_close(change, delta, rtol=1e-3, atol=1e-6)


def test_a_merge_has_nothing_to_run_again(merged: RunReport) -> None:
    with pytest.raises(FinewrightError, match="a merge of two runs has no stage"):
        resume(Path(merged.summary.run), on_event=tiny_run.nothing)


def test_a_run_goes_on_from_a_merge_and_forgets_a_row_of_it(
    merged: RunReport, runs: tuple[Path, Path]
) -> None:
    folder, both = runs[0].parents[1], open_run(Path(merged.summary.run))
    text = (folder / "spec.yaml").read_text().replace("name: tiny", "name: child")
    text = text.replace("base_models: [./base]", f"base_models: [runs/{both.root.name}]")
    (folder / "child.yaml").write_text(text.replace("rows.jsonl", "more.jsonl"))
    rows = (folder / "rows.jsonl").read_text().splitlines(keepends=True)
    (folder / "more.jsonl").write_text("".join(rows[8:]))
    report = up(
        load_spec(folder / "child.yaml"), runs[0].parent, on_event=tiny_run.nothing, through="train"
    )
    child = open_run(Path(report.summary.run))
    nodes = show_lineage(child.root).nodes
    assert [node.depth for node in nodes] == [0, 1, 2, 2]
    told = without(child, "rows.jsonl")
    assert set(told.ancestors) == {each.name for each in runs}
    with pytest.raises(FinewrightError, match="a merge of two runs trained on no rows"):
        without(both, "rows.jsonl")


def refused(one: Path, other: Path, out: Path, **how: object) -> str:
    wanted = Merge((str(one), str(other)), "linear", **how)  # type: ignore[arg-type]
    with pytest.raises(FinewrightError) as caught:
        merge(wanted, out, on_progress=tiny_run.nothing)
    assert not out.exists()  # nothing half-written
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_merged_is_one_line(runs: tuple[Path, Path], tmp_path: Path) -> None:
    one, other = runs
    out = tmp_path / "out"
    assert refused(one, one, out).endswith(f"is the same run as {one}")
    assert "no such run folder" in refused(one, tmp_path / "gone", out)
    assert "takes two weights" in refused(one, other, out, weights=(1.0,))
    assert "is no name of a run" in refused(one, other, out, name="Not A Name")
    damaged = Path(shutil.copytree(other, tmp_path / "damaged"))
    weights = damaged / "train/base/adapter/adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert "has changed since it was trained" in refused(one, damaged, out)


def test_another_base_is_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    model = tiny.tiny_model("llama")
    with torch.no_grad():
        next(model.parameters()).add_(0.01)
    model.bfloat16().save_pretrained(tmp_path / "base")
    tiny.tiny_tokenizer().save_pretrained(tmp_path / "base")
    stranger = tiny_run.trained(tmp_path, "{type: lora, r: 2}")
    said = refused(runs[0], stranger, tmp_path / "out")
    assert said.startswith(f"{stranger}: is of ")


def test_a_circle_of_parents_is_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    lines = [Path(shutil.copytree(run, tmp_path / run.name)) for run in runs]
    for run, parent in zip(lines, reversed(lines), strict=True):
        record = json.loads((run / "manifest.json").read_text())
        key = json.loads((parent / "manifest.json").read_text())["key"]
        named = {"name": "runs/x", "run": parent.name, "path": str(parent), "key": key}
        facts = {"candidate": "./base", "adapter": "lora", "base_model": "b", "base_sha256": "0"}
        record["parents"] = [named | facts | {"adapter_sha256": "0", "manifest_sha256": "0"}]
        (run / "manifest.json").write_text(json.dumps(record))
    assert "lead back to itself" in refused(lines[0], lines[1], tmp_path / "out")
