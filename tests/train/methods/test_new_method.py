"""A method of another package is one of finewright's own: the one that docs/new-method.md shows whole."""

import json
from pathlib import Path

import pytest

from installed import ROOT, Site

POINTS = "[finewright.method]\nfocal = finewright_focal.settings:FocalSpec\n"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.install("new-method.md", "finewright_focal", POINTS)
    return site


def written(folder: Path, train: str) -> None:
    rows = [{"prompt": f"Say {n}", "completion": f"It is {n}."} for n in range(8)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "run.yaml").write_text(
        "name: bot\nbase_models: [./tiny-llama]\ndata: {sources: [{path: rows.jsonl, license: MIT}]}\n"
        f"train: {{{train}, max_steps: 2, batch_size: 4, prove_elsewhere: false}}\n"
    )


def test_its_own_suite_passes(site: Site) -> None:
    done = site.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "site/test_focal.py")
    assert (done.returncode, "4 passed" in done.stdout) == (0, True), done.stdout


TRAIN = """
import json
import finewright as fw
for changes in ([], ["train.method=focal", "train.gamma=0"], ["train.method=focal"]):
    (made,) = fw.train(fw.load_spec("run.yaml", changes), new=True, progress=False).train.candidates
    print(json.dumps([made.method, made.steps, made.first_loss, made.final_loss]))
"""


def test_a_spec_trains_by_it_as_its_formula_says(
    site: Site, tiny_folder: Path, tmp_path: Path
) -> None:
    """With gamma 0 the losses are those of sft, to the last bit; with more they are less."""
    written(tmp_path, "method: sft")
    done = site.python("-c", TRAIN)
    assert done.returncode == 0, done.stderr
    sft, zero, focal = map(json.loads, done.stdout.splitlines())
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
    assert "'ppo', 'focal', not 'fokal'; did you mean 'focal'?" in wrong.stderr
    path = f"import sys; sys.path.insert(0, {str(ROOT / 'docs')!r}); import generate"
    reference = site.python("-c", f"{path}; print(generate.reference())").stdout
    assert "### focal\n\nFine-tuning with the focal loss" in reference
    assert "| `train.gamma` | `2.0` | How much less easy tokens weigh | the paper's |" in reference


@pytest.mark.parametrize(
    ("named", "what"),
    [
        ("settings:default", "names no TrainSettings"),
        ("settings:TrainSettings", "are those of another name"),
        ("settings:Nothing", "cannot be loaded: module 'finewright_focal.settings' has no"),
    ],
)
def test_a_package_that_names_no_settings_is_one_line(
    site: Site, tmp_path: Path, named: str, what: str
) -> None:
    points = tmp_path / "site" / "finewright_focal-1.0.dist-info" / "entry_points.txt"
    points.write_text(f"[finewright.method]\nfocal = finewright_focal.{named}\n")
    refused = site.python("-m", "finewright", "schema")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 2)
    assert what in refused.stderr
