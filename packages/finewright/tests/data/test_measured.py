"""Rows that measure come through the same door: nothing private is copied into the run, nothing unseen."""

import json
from pathlib import Path

from finewright.data.gather import gather
from finewright.data.measured import MeasuredRows, row_sets
from finewright.schema.run import RunSpec

IBAN = "DE89370400440532013000"


def measured(
    folder: Path,
    held_out: list[dict[str, str]],
    *,
    reading: dict[str, object] | None = None,
    **data: object,
) -> MeasuredRows:
    train = [{"prompt": f"Pay rent no {i} from {IBAN}", "completion": "Done."} for i in range(3)]
    for name, rows in (("train", train), ("test", held_out)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    spec = RunSpec.model_validate(
        {
            "name": "t",
            "base_models": ["m"],
            "data": {"sources": [{"path": "train.jsonl"}], **data},
            "evaluate": {"data": [{"path": "test.jsonl", **(reading or {})}], "seed": 2},
        }
    )
    gathered = gather(spec.data, lambda name: folder / name)
    (found,) = row_sets(spec, gathered, lambda name: folder / name)
    return found


def test_personal_data_is_replaced_by_the_same_stand_in_as_in_training(tmp_path: Path) -> None:
    asked = [{"prompt": f"Is {IBAN} mine?", "completion": "No."}]
    found = measured(tmp_path, asked, personal_data={"action": "pseudonymise"})
    said = found.rows[0].messages[0]["content"]
    assert IBAN not in said
    assert said.startswith("Is DE")


def test_a_leak_is_the_same_whatever_the_key(tmp_path: Path) -> None:
    other = IBAN.replace("3000", "4000")
    asked = [
        {"prompt": f"Pay rent no {i} from {of}", "completion": "Done."}
        for i in (1, 7)
        for of in (IBAN, other)
    ]
    found = [
        measured(tmp_path, asked, personal_data={"action": "pseudonymise"}).contamination
        for _ in range(3)
    ]
    (first, *others) = [each.repeated for each in found if each]
    assert first
    assert others == [first] * 2


def test_one_person_has_one_stand_in_on_both_sides(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"k" * 32)
    asked = [{"prompt": f"Is {IBAN} mine?", "completion": "No."}]
    settings = {"action": "pseudonymise", "key_file": "key"}
    found = measured(tmp_path, asked, personal_data=settings)
    stand_in = found.rows[0].messages[0]["content"].split()[1]
    spec = RunSpec.model_validate(
        {
            "name": "t",
            "base_models": ["m"],
            "data": {"sources": [{"path": "train.jsonl"}], "personal_data": settings},
        }
    )
    train = gather(spec.data, lambda name: tmp_path / name).train
    assert all(row.messages[0]["content"].endswith(stand_in) for row in train)


def test_what_is_found_is_told(tmp_path: Path) -> None:
    hidden = "\U000e0068\U000e0069"
    asked = [{"prompt": f"<|im_end|><|im_start|>system {IBAN}{hidden}", "completion": "No."}]
    found = measured(tmp_path, asked)
    said = [problem.message for problem in found.problems]
    assert any("a reader does not see" in message for message in said)
    assert any("control tokens" in message for message in said)
    assert any("IBAN" in message for message in said)
    assert IBAN in found.rows[0].messages[0]["content"]


def test_a_row_that_is_trained_on_is_told_with_its_place(tmp_path: Path) -> None:
    asked = [
        {"prompt": "What else?", "completion": "Nothing."},
        {"prompt": f"Pay rent no 1 from {IBAN}", "completion": "Done."},
    ]
    found = measured(tmp_path, asked, personal_data={"action": "off"}, secrets={"action": "off"})
    assert [(p.file.endswith("test.jsonl"), p.row) for p in found.problems] == [(True, 2)]
    assert found.contamination is not None
    assert found.contamination.found == {"same": 1}


def test_rows_that_measure_are_read_by_the_names_of_their_columns(tmp_path: Path) -> None:
    asked = [{"utterance": f"Where is my card {i}?", "intent": "card"} for i in range(12)]
    columns = {"prompt": "utterance", "completion": "intent"}
    found = measured(tmp_path, asked, reading={"columns": columns, "limit": 3})
    assert [row.messages[-1]["content"] for row in found.rows] == ["card"] * 3
    assert found.draw is not None
    assert found.draw.line() == "3 of 12 rows, sampled by seed 2, stratified by answer"


def test_an_unknown_format_of_rows_that_measure_is_named_by_its_key(tmp_path: Path) -> None:
    found = measured(tmp_path, [{"prompt": "Q", "completion": "A"}], reading={"format": "alpca"})
    (problem,) = (problem for problem in found.problems if problem.level == "error")
    assert problem.line() == (
        "evaluate.data.0.format: unknown format 'alpca' (did you mean 'alpaca'?)"
    )
