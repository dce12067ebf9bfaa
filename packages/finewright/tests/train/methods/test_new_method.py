"""A method of another package is one of finewright's own: the one in examples/packages/focal."""

import json
from pathlib import Path

import pytest

from installed import ROOT, Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.install("focal")
    return site


def written(folder: Path, train: str) -> None:
    rows = [{"prompt": f"Say {n}", "completion": f"It is {n}."} for n in range(8)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "run.yaml").write_text(
        "name: bot\nbase_models: [./tiny-llama]\ndata: {sources: [{path: rows.jsonl, license: MIT}]}\n"
        f"train: {{{train}, max_steps: 2, batch_size: 4, threads: 1, prove_elsewhere: false}}\n"
    )


SUITE_AND_TRAIN = """
import json, pytest
print("suite", int(pytest.main(["-q", "-p", "no:cacheprovider", "site/test_focal.py"])))
import finewright as fw
for changes in ([], ["train.method=focal", "train.gamma=0"], ["train.method=focal"]):
    (made,) = fw.train(fw.load_spec("run.yaml", changes), new=True, progress=False).train.candidates
    print(json.dumps([made.method, made.steps, made.first_loss, made.final_loss]))
"""


@pytest.mark.torch
def test_its_own_suite_passes_and_a_spec_trains_by_it_as_its_formula_says(
    site: Site, tiny_folder: Path, tmp_path: Path
) -> None:
    """With gamma 0 the losses are those of sft, to the last bit; with more they are less. In one process:
    each loads torch, which takes longer than all the rest."""
    written(tmp_path, "method: sft")
    done = site.python("-c", SUITE_AND_TRAIN)
    assert done.returncode == 0, done.stderr
    shown, _, losses = done.stdout.partition("suite 0\n")
    assert "4 passed" in shown, done.stdout
    sft, zero, focal = map(json.loads, losses.splitlines())
    assert zero == ["focal", 2, *sft[2:]]
    assert 0 < focal[2] < sft[2]


def test_it_is_in_the_schema_the_mistakes_and_the_reference(site: Site, tmp_path: Path) -> None:
    schema = json.loads(site.python("-m", "finewright", "schema").stdout)
    assert schema["$defs"]["FocalSpec"]["properties"]["gamma"]["default_reason"] == "the paper's"
    assert "focal" in schema["properties"]["train"]["discriminator"]["mapping"]
    written(tmp_path, "method: focal, gama: 1")
    wrong = site.python("-m", "finewright", "check", "run.yaml")
    assert "train.gama: unknown key; did you mean 'gamma'?" in wrong.stderr
    written(tmp_path, "method: fokal")
    wrong = site.python("-m", "finewright", "check", "run.yaml")
    assert (
        "'linear', 'labels', 'label_text', 'focal', not 'fokal'; did you mean 'focal'?"
        in wrong.stderr
    )
    path = f"import sys; sys.path.insert(0, {str(ROOT / 'docs')!r}); import generate"
    reference = site.python("-c", f"{path}; print(generate.reference())").stdout
    assert "### focal\n\nFine-tuning with the focal loss" in reference
    assert "| `train.gamma` | `2.0` | How much less easy tokens weigh | the paper's |" in reference


LOAD = """
import finewright as fw
from finewright.errors import FinewrightError
from finewright.schema.train_section import settings_of
fw.load_spec("run.yaml")
for work in (lambda: fw.load_spec("run.yaml", ["train.method=focal"]), lambda: settings_of("focal")):
    try:
        work()
    except FinewrightError as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("settings:FocalSpec", "settings:default", "names no TrainSettings"),
        ("settings:FocalSpec", "settings:TrainSettings", "are those of another name"),
        (
            "settings:FocalSpec",
            "settings:Nothing",
            "cannot be loaded: module 'finewright_focal.set",
        ),
        ('Literal["focal"] =', "str =", 'must have `method: Literal["focal"] = "focal"`'),
        ("class FocalSpec", "raise ValueError('a\\nb')\nclass FocalSpec", "cannot be loaded: a b"),
        ("class FocalSpec", "import nowhere\nclass FocalSpec", "cannot be loaded: No module named"),
    ],
)
def test_a_broken_package_stops_who_names_its_method_and_nobody_else(
    site: Site, tmp_path: Path, old: str, new: str, what: str
) -> None:
    for name in ("finewright_focal-1.0.dist-info/entry_points.txt", "finewright_focal/settings.py"):
        path = tmp_path / "site" / name
        path.write_text(path.read_text().replace(old, new))
    written(tmp_path, "method: sft")
    done = site.python("-c", LOAD)
    assert done.returncode == 0, done.stderr
    assert [what in line for line in done.stdout.splitlines()] == [True, True], done.stdout
