"""Rows in a peer's words: what each peer's own source reads of a form, and forms that it would misread."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.conftest import Finewright
from finewright.schema.load import load_spec

TURNS = [{"role": "user", "content": "q"}]
ANSWER, OTHER = ([{"role": "assistant", "content": text}] for text in ("a", "b"))
PAIR_OF_TEXTS = {"prompt": "q", "chosen": "a", "rejected": "b"}
PAIR_OF_TURNS = {"prompt": TURNS, "chosen": ANSWER, "rejected": OTHER}
WHOLE_PAIR = {"chosen": [*TURNS, *ANSWER], "rejected": [*TURNS, *OTHER]}
LABELLED = {"prompt": "q", "completion": "a", "label": True}
CONVERSATION = {"messages": [*TURNS, *ANSWER]}


def _export(finewright: Finewright, project: Path, to: str, method: str, row: Any) -> Any:
    (project / "rows.jsonl").write_text(json.dumps(row) + "\n")
    (project / "spec.yaml").write_text(
        "name: x\nbase_models: [org/m]\ndata: {sources: [{path: rows.jsonl}]}\n"
        f"train: {{method: {method}, learning_rate: 1.0e-4, max_steps: 10, prove_elsewhere: false}}\n"
    )
    done = finewright("export-config", "spec.yaml", "--to", to, "--out", "there.yaml")
    if done.code:
        return done.err
    return yaml.safe_load((project / "there.yaml").read_text())


@pytest.mark.parametrize(
    ("method", "row", "expected"),
    [
        ("dpo", PAIR_OF_TEXTS, {"type": "chat_template.default", "field_messages": "prompt"}),
        ("dpo", PAIR_OF_TURNS, {"type": "chat_template.default", "field_messages": "prompt"}),
        ("dpo", WHOLE_PAIR, {"type": "chat_template.argilla_chat"}),
        ("orpo", WHOLE_PAIR, {"type": "chat_template.argilla"}),
        ("sft", CONVERSATION, {"type": "chat_template"}),
    ],
)
def test_axolotl_is_told_the_strategy_that_reads_the_rows(
    finewright: Finewright, project: Path, method: str, row: Any, expected: Any
) -> None:
    found = _export(finewright, project, "axolotl", method, row)
    assert found["datasets"] == [{"path": "rows.jsonl", "ds_type": "json", **expected}]


@pytest.mark.parametrize(
    ("method", "row", "expected"),
    [
        (
            "dpo",
            PAIR_OF_TEXTS,
            {
                "ranking": True,
                "columns": {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"},
            },
        ),
        (
            "kto",
            LABELLED,
            {"columns": {"prompt": "prompt", "response": "completion", "kto_tag": "label"}},
        ),
    ],
)
def test_llama_factory_is_told_the_columns_of_pairs_and_labels(
    finewright: Finewright, project: Path, method: str, row: Any, expected: Any
) -> None:
    found = _export(finewright, project, "llamafactory", method, row)
    info = json.loads((project / "dataset_info.json").read_text())
    assert info == {found["dataset"]: {"file_name": "rows.jsonl", **expected}}


@pytest.mark.parametrize(
    ("to", "method", "row"),
    [
        ("axolotl", "kto", LABELLED),  # its strategies write llama 3's or ChatML's template
        ("axolotl", "reward", PAIR_OF_TURNS),
        ("llamafactory", "dpo", PAIR_OF_TURNS),  # it skips them with a warning
        ("trl", "sft", {"prompt": "q", "completion": "a"}),  # learned without a template
        ("trl", "sft", {"text": "a document"}),
        ("ms-swift", "dpo", PAIR_OF_TURNS),
    ],
)
def test_rows_that_a_peer_would_misread_are_refused_and_nothing_is_written(
    finewright: Finewright, project: Path, to: str, method: str, row: Any
) -> None:
    before = {path.name for path in project.iterdir()} | {"rows.jsonl", "spec.yaml"}
    found = _export(finewright, project, to, method, row)
    assert "data.sources" in found
    assert {path.name for path in project.iterdir()} == before


def test_trl_learns_the_answers_of_messages_alone(finewright: Finewright, project: Path) -> None:
    assert _export(finewright, project, "trl", "sft", CONVERSATION)["assistant_only_loss"] is True


def test_no_list_of_sets_is_left_where_the_config_cannot_be_written(
    finewright: Finewright, project: Path
) -> None:
    (project / "there.yaml").mkdir()
    found = _export(finewright, project, "llamafactory", "dpo", PAIR_OF_TEXTS)
    assert "there.yaml" in found
    assert not (project / "dataset_info.json").exists()


def test_documents_of_axolotl_and_llama_factory_are_raw_text(
    finewright: Finewright, project: Path
) -> None:
    (project / "a.yaml").write_text(
        "base_model: org/m\nmicro_batch_size: 1\nsequence_len: 64\nlearning_rate: 1e-4\nmax_steps: 5\n"
        "pretraining_dataset:\n  - {path: org/texts, text_column: page, type: pretrain}\n"
        "pretraining_sample_concatenation: true\n"
    )
    assert finewright("import", "a.yaml", "--out", "ours.yaml").code == 0
    spec = load_spec(project / "ours.yaml").spec
    source = spec.data.sources[0]
    assert (source.path, source.type, source.columns) == ("hub:org/texts", "text", {"text": "page"})
    assert spec.train.model_dump()["document_attention"] == "across"
    (project / "data").mkdir()
    info = {"pages": {"file_name": "pages.jsonl", "columns": {"prompt": "page"}}}
    (project / "data/dataset_info.json").write_text(json.dumps(info))
    (project / "l.yaml").write_text(
        "model_name_or_path: org/m\nstage: pt\nfinetuning_type: lora\ndataset: pages\ncutoff_len: 64\n"
    )
    assert finewright("import", "l.yaml", "--out", "theirs.yaml").code == 0
    spec = load_spec(project / "theirs.yaml").spec
    assert (spec.data.type, spec.data.sources[0].columns) == ("text", {"text": "page"})


def test_a_teacher_of_ms_swift_is_that_of_gkd(finewright: Finewright, project: Path) -> None:
    (project / "s.yaml").write_text(
        "model: org/m\ndataset: org/rows\ntuner_type: lora\nrlhf_type: gkd\nteacher_model: org/big\n"
        "lmbda: 1.0\nmax_length: 64\n"
    )
    assert finewright("import", "s.yaml", "--out", "ours.yaml").code == 0
    train = load_spec(project / "ours.yaml").spec.train.model_dump()
    assert (train["method"], train["teacher"], train["lmbda"]) == ("gkd", "org/big", 1.0)
