"""Configs of others as specs: values worked out by hand, and what is refused, by the command line."""

import json
from pathlib import Path

import pytest
import yaml

from cli.conftest import Finewright
from finewright.schema.adapter import LoraSpec
from finewright.schema.load import load_spec
from finewright_bridge.translate.tables import show

AXOLOTL = """\
base_model: org/model
revision_of_model: abc123
adapter: qlora
lora_r: 8
lora_alpha: 16
lora_target_linear: true
sequence_len: 2048
sample_packing: true
micro_batch_size: 2
gradient_accumulation_steps: 4
num_epochs: 2
learning_rate: 2e-4
warmup_steps: 10
max_steps: 100
weight_decay: 0.01
val_set_size: 0.05
flash_attention: true
wandb_project:
datasets:
  - path: org/rows
    type: alpaca
"""
TRL = "model_name_or_path: org/m\ndataset_name: org/rows\nlearning_rate: 1e-4\nuse_peft: true\n"
BOMB = "a: &a [1, 1]\nb: &b [*a, *a]\nbase_model: *b\nmicro_batch_size: 1\ndatasets: *b\n"


def test_values_of_a_config_and_the_peers_own_defaults_arrive(
    finewright: Finewright, project: Path
) -> None:
    (project / "theirs.yaml").write_text(AXOLOTL)
    done = finewright("import", "theirs.yaml", "--out", "ours.yaml")
    assert done.code == 0, done.err
    spec = load_spec(project / "ours.yaml").spec
    assert spec.base_models == ("org/model@abc123",)
    assert [(source.path, source.format) for source in spec.data.sources] == [
        ("hub:org/rows", "alpaca")
    ]
    assert spec.data.eval_fraction == 0.05
    train = spec.train
    assert isinstance(train.adapter, LoraSpec)
    assert (train.method, train.adapter.type, train.adapter.quantization) == ("sft", "lora", "nf4")
    assert (train.adapter.r, train.adapter.alpha, train.adapter.target_modules) == (
        8,
        16,
        "all-linear",
    )
    assert train.adapter.dropout == 0.0
    # A packed batch is 2 rows of 2048 tokens; 10 of 100 steps are warm-up; 42 is Axolotl's own seed.
    assert (train.batch_tokens, train.gradient_accumulation, train.epochs) == (4096, 4, 2)
    assert (train.warmup_ratio, train.max_steps, train.learning_rate, train.seed) == (
        0.1,
        100,
        2e-4,
        42,
    )
    assert "flash_attention" in done.out
    assert "wandb_project" in done.out


def test_the_report_says_of_every_key_what_the_spec_has(
    finewright: Finewright, project: Path
) -> None:
    text = AXOLOTL.replace("max_steps: 100\n", "")
    (project / "theirs.yaml").write_text(text)
    done = finewright("import", "theirs.yaml", "--out", "ours.yaml", "--json")
    assert done.code == 0, done.err
    train = load_spec(project / "ours.yaml").spec.train
    written = yaml.safe_load((project / "ours.yaml").read_text())["train"]
    keys = json.loads(done.out)["keys"]
    becomes = {each["key"]: each["becomes"] for each in keys if each["becomes"]}
    assert becomes["micro_batch_size"] == {"train.batch_tokens": "4096"}
    # How many steps there are is not known, so neither 10 of them nor Axolotl's 0.03 is a share here.
    assert "warmup_ratio" not in {each["key"] for each in keys}
    (warmup,) = [each for each in keys if each["key"] == "warmup_steps"]
    assert (warmup["fate"], warmup["differs"]) == ("without", True)
    assert f"default, {train.warmup_ratio}" in warmup["why"]
    for values in becomes.values():
        for key, value in values.items():
            if key.startswith("train.") and "adapter" not in key:
                assert value == show(written[key.removeprefix("train.")])


def test_a_schedule_without_a_warm_up_is_given_none(finewright: Finewright, project: Path) -> None:
    # transformers.get_constant_schedule takes no number of steps, whatever `warmup_steps` says.
    (project / "theirs.yaml").write_text(f"{AXOLOTL}lr_scheduler: constant\n")
    done = finewright("import", "theirs.yaml", "--out", "ours.yaml", "--json")
    assert done.code == 0, done.err
    found = {each["key"]: each for each in json.loads(done.out)["keys"]}
    assert found["lr_scheduler"]["becomes"]["train.warmup_ratio"] == "0"
    assert (found["warmup_steps"]["fate"], found["warmup_steps"]["becomes"]) == ("without", {})
    assert load_spec(project / "ours.yaml").spec.train.warmup_ratio == 0


def test_a_key_that_another_one_replaces_is_not_carried(
    finewright: Finewright, project: Path
) -> None:
    text = AXOLOTL.replace("warmup_steps: 10", "warmup_ratio: 0.2\nwarmup_steps: 10")
    (project / "theirs.yaml").write_text(text)
    done = finewright("import", "theirs.yaml", "--out", "ours.yaml", "--json")
    assert done.code == 0, done.err
    found = {each["key"]: each for each in json.loads(done.out)["keys"]}
    assert found["warmup_steps"]["becomes"] == {"train.warmup_ratio": "0.1"}
    assert (found["warmup_ratio"]["fate"], found["warmup_ratio"]["becomes"]) == ("without", {})


def test_a_key_that_no_table_has_is_listed_and_can_be_left_out(
    finewright: Finewright, project: Path
) -> None:
    (project / "theirs.yaml").write_text(AXOLOTL + "of_a_newer_version: 7\n")
    done = finewright("import", "theirs.yaml", "--out", "ours.yaml")
    assert (done.code, done.err.count("\n")) == (2, 2)
    assert "theirs.yaml:22: of_a_newer_version: no key of Axolotl that is known here" in done.err
    assert not (project / "ours.yaml").exists()
    words = ("--out", "ours.yaml", "--leave-out", "of_a_newer_version")
    assert finewright("import", "theirs.yaml", *words).code == 0


def test_the_method_of_a_trl_file_is_that_of_its_command_or_is_asked_for(
    finewright: Finewright, project: Path
) -> None:
    (project / "theirs.yaml").write_text(TRL)
    done = finewright("import", "theirs.yaml")
    assert done.code == 2
    assert "does not say its method" in done.err
    (project / "theirs.yaml").write_text(f"# trl dpo --config theirs.yaml\n{TRL}")
    assert finewright("import", "theirs.yaml", "--out", "ours.yaml").code == 0
    assert load_spec(project / "ours.yaml").spec.train.method == "dpo"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (AXOLOTL + "rl: gdpo\n", "gdpo"),
        (AXOLOTL + "lora_modules_to_save: [embed_tokens]\n", "named layers alone"),
        (AXOLOTL.replace("num_epochs: 2", "num_epochs: -2"), "num_epochs"),
        (AXOLOTL.replace("micro_batch_size: 2", "micro_batch_size: two"), "micro_batch_size"),
        (AXOLOTL.replace("lora_r: 8", "lora_r: [8]"), "lora_r"),
        (AXOLOTL.replace("base_model: org/model", "base_model: [1]"), "base_model"),
        (AXOLOTL.replace("  - path: org/rows\n    type: alpaca\n", "  - 7\n"), "datasets"),
        (AXOLOTL.replace("sequence_len: 2048", "sequence_len: {a: 1}"), "sequence_len"),
        (BOMB, "aliases"),
        ("- 1\n- 2\n", "keys with values"),
        ("name: x\nversion: 3\nservices: {}\n", "no config of"),
        ("a: [1\n", "YAML"),
        ("", "keys"),
    ],
)
def test_what_cannot_be_imported_is_said_in_a_line_and_nothing_is_written(
    finewright: Finewright, project: Path, text: str, message: str
) -> None:
    (project / "theirs.yaml").write_text(text)
    before = sorted(project.iterdir())
    done = finewright("import", "theirs.yaml", "--out", "ours.yaml")
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert done.err.count("error:") == 1
    assert sorted(project.iterdir()) == before


@pytest.mark.parametrize("name", ["nowhere.yaml", "."])
def test_a_path_that_is_no_file_is_said(finewright: Finewright, project: Path, name: str) -> None:
    done = finewright("import", name)
    assert done.code == 2
    assert done.err.count("\n") <= 2


def test_a_file_is_never_written_over(finewright: Finewright, project: Path) -> None:
    (project / "theirs.yaml").write_text(AXOLOTL)
    (project / "ours.yaml").write_text("mine")
    assert finewright("import", "theirs.yaml", "--out", "ours.yaml").code == 2
    assert (project / "ours.yaml").read_text() == "mine"
