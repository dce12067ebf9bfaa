"""Who reads the sources of a run, and in how many pieces, changes nothing of what is read."""

import gzip
import json
import sys
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.data.door import DoorSearch, Passed, pass_door, with_resolved
from finewright.data.privacy import Place
from finewright.data.provenance.ledger import RowOrigins
from finewright.data.scale.engines import PartResult, local
from finewright.data.scale.reading import ReadSettings, ReadSources, read_sources
from finewright.data.source import SourceRows
from finewright.errors import MissingExtra
from finewright.schema.data import DataSpec
from guard.duplicates.made import seeded

MAIL = "Write to anna@firm.example or to DE89 3704 0044 0532 0130 00."
LINES = [
    '{"prompt": "Q", "completion": "A"}',
    '{"prompt": "Q ü", "completion": "A"}',
    json.dumps({"prompt": "Q", "completion": MAIL, "meta": {"x": [1, 2.5, None]}}),
    json.dumps({"prompt": f"Q {MAIL}", "chosen": "A", "rejected": "<|im_end|><|im_start|>system"}),
    '{"prompt": "<s>Q</s>", "completion": "A", "label": true}',
    '{"instruction": "I", "input": "", "output": "password = hunter2222XY"}',
    '{"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}',
    '{"messages": []}',
    '{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": 3}]}',
    "{",
    "",
    "\ufeff",
]


def backwards(parts, make, options, workers) -> list[PartResult]:
    """An engine that is done with the last part first."""
    return list(local(parts, make, options, workers))[::-1]


def spec_of(*sources: object, **fields: object) -> DataSpec:
    named = [s if isinstance(s, dict) else {"path": s} for s in sources]
    return DataSpec.model_validate({"sources": named, **fields})


def in_pieces(folder: Path, spec: DataSpec, slice_bytes: int = 60) -> ReadSources:
    paths = [folder / source.path for source in spec.sources]
    personal = with_resolved(spec.personal_data, lambda path: folder / path)
    return read_sources(spec, paths, personal, ReadSettings(backwards, 1, slice_bytes))


def as_whole(folder: Path, spec: DataSpec) -> list[SourceRows]:
    paths = [folder / source.path for source in spec.sources]
    whole = spec.model_copy(update={"engine": "local"})
    return read_sources(whole, paths, spec.personal_data).sources


def through_door(
    folder: Path, spec: DataSpec, sources: Sequence[SourceRows], private: Set[Place] | None
) -> Passed:
    rows = [row for source in sources for row in source.rows]
    provenance = RowOrigins([source.for_ledger() for source in sources])
    return pass_door(
        rows, spec, provenance, lambda path: folder / path, DoorSearch(private=private)
    )


def told(source: SourceRows) -> Mapping[str, Any]:
    """All that is known of a source, with its order."""
    return {
        "rows": [json.dumps(row.to_json()) for row in source.rows],
        "counts": source.tally.counts(),
        "types": list(source.tally.types.items()),
        "dropped": list(source.tally.dropped.items()),
        "records": list(source.records.items()),
        "format": source.for_ledger().format,
        "problems": source.tally.listing.problems(),
    }


def check_same(folder: Path, spec: DataSpec, slice_bytes: int = 60) -> ReadSources:
    (folder / "door.key").write_bytes(b"0123456789abcdef")
    keyed = spec.personal_data.model_copy(update={"key_file": "door.key"})
    spec = spec.model_copy(update={"personal_data": keyed})
    read = in_pieces(folder, spec, slice_bytes)
    whole = as_whole(folder, spec)
    assert list(map(told, read.sources)) == list(map(told, whole))
    assert through_door(folder, spec, read.sources, read.private) == through_door(
        folder, spec, whole, None
    )
    return read


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.sampled_from(LINES), max_size=30),
    size=st.integers(1, 400),
    action=st.sampled_from(["off", "report", "redact", "pseudonymise", "drop"]),
    secrets=st.sampled_from(["off", "report", "redact", "drop"]),
)
def test_a_file_in_slices_is_what_the_whole_file_is(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[str],
    size: int,
    action: str,
    secrets: str,
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    (folder / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    actions = {"personal_data": {"action": action}, "secrets": {"action": secrets}}
    spec = spec_of("a.jsonl", **actions)
    check_same(folder, spec, size)


def test_more_mistakes_than_are_listed_are_counted_over_all_slices(tmp_path: Path) -> None:
    rng = seeded(3)
    for name, count in (("a.jsonl", 400), ("b.jsonl", 90)):
        (tmp_path / name).write_text("\n".join(rng.choices(LINES, k=count)), encoding="utf-8")
    read = check_same(tmp_path, spec_of("a.jsonl", "b.jsonl", "a.jsonl"))
    lines = [problem.line() for problem in read.sources[0].tally.listing.problems()]
    assert sum("; and " in line and "more rows" in line for line in lines) >= 2


def test_more_kinds_of_mistakes_than_are_listed_are_counted_over_all_slices(tmp_path: Path) -> None:
    names = [f"{a}{b}" for a in "abcdefghij" for b in "abcdefg"] * 2
    (tmp_path / "a.jsonl").write_text("".join(f'{{"{name}": "x"}}\n' for name in names))
    read = check_same(tmp_path, spec_of("a.jsonl"))
    lines = [problem.line() for problem in read.sources[0].tally.listing.problems()]
    assert len(lines) == 21
    assert lines[-1].endswith("and 120 more errors like these")


def test_every_container_and_folder_is_read_the_same(tmp_path: Path) -> None:
    good = [line for line in LINES if line.startswith("{") and line.endswith("}")]
    rows = "\n".join(good)
    (tmp_path / "rows.csv").write_text(f"prompt,completion\nQ,{MAIL}\n,\n")
    (tmp_path / "rows.json").write_text(f"[{','.join(good)}]")
    (tmp_path / "wide.jsonl").write_bytes(rows.encode("utf-16"))
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(rows.encode()))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(rows.encode())[:-20])
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "blank.jsonl").write_text("\n \n\n")
    (tmp_path / "void.jsonl").write_bytes(b"\n" * 300_000)
    (tmp_path / "mark.jsonl").write_text("\ufeff\n\n", encoding="utf-8")
    texts, several = tmp_path / "texts", tmp_path / "several"
    for folder in (texts, several):
        folder.mkdir()
    (texts / "a.txt").write_text(f"One text. {MAIL}")
    (texts / "b.md").write_text("# Another <|im_end|>\n")
    (several / "a.jsonl").write_text(rows)
    (several / "b.csv").write_text("question,answer\nQ,A\n")
    (several / "dataset_info.json").write_text(
        json.dumps(
            {
                "one": {"file_name": "a.jsonl"},
                "two": {"file_name": "b.csv", "columns": {"prompt": "question"}},
                "gone": {"file_name": "c.jsonl"},
                "far": {"hf_hub_url": "owner/name"},
            }
        )
    )
    names = [path.name for path in sorted(tmp_path.iterdir())]
    unknown = {"path": "rows.csv", "format": "alpacca"}
    read = check_same(tmp_path, spec_of(*names, "gone.jsonl", unknown))
    lines = [p.line() for source in read.sources for p in source.tally.listing.problems()]
    told = ("the file is empty", "there are only blank lines", "there are no rows in it")
    assert [sum(what in line for line in lines) for what in told] == [1, 2, 1]
    assert sum("unknown format 'alpacca'" in line for line in lines) == 1
    assert sum("there is no such file" in line for line in lines) == 2


def test_rows_of_no_known_format_and_walks_are_read_the_same(tmp_path: Path) -> None:
    turns = [{"speaker": "USER", "utterance": "Q?"}, {"speaker": "SYSTEM", "utterance": "A b."}]
    rows = [{"id": i, "turns": turns, "kind": "x"} for i in range(20)]
    (tmp_path / "talks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    walked = {"path": "talks.jsonl", "columns": {"messages": "turns[].{speaker,utterance}"}}
    read = check_same(tmp_path, spec_of("talks.jsonl", walked))
    unread, followed = read.sources
    hint = "--column 'messages=turns[].{role: speaker, content: utterance}'"
    assert not unread.rows
    assert hint in unread.tally.listing.problems()[0].hint
    assert [m["role"] for m in followed.rows[-1].messages] == ["user", "assistant"]
    assert len(followed.rows) == len(rows)


def test_parquet_is_read_the_same(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table(
        {
            "prompt": ["Q", "R", None],
            "completion": [MAIL, "A", "B"],
            "meta": [{"n": 1.5, "when": None}, {"n": float("inf"), "when": "x"}, None],
        }
    )
    from pyarrow.parquet import write_table

    write_table(table, tmp_path / "rows.parquet")
    check_same(tmp_path, spec_of("rows.parquet"))


def test_relative_paths_are_named_as_they_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("One text.")
    (tmp_path / "rows.jsonl").write_text("\n".join(LINES), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    read = check_same(Path(), spec_of("texts", "rows.jsonl", type="prompt_completion"))
    assert {row.file for source in read.sources for row in source.rows} <= {
        "texts/a.txt",
        "rows.jsonl",
    }


def test_only_rows_that_hold_something_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join(LINES), encoding="utf-8")
    private = in_pieces(tmp_path, spec_of("a.jsonl")).private
    file = str(tmp_path / "a.jsonl")
    assert private == {(file, 3), (file, 4), (file, 6)}


def test_a_fresh_key_is_one_key_for_all_slices(tmp_path: Path) -> None:
    row = {"prompt": "Q", "completion": "Write to anna@firm.example."}
    rows = [row | {"prompt": f"Q{i}"} for i in range(9)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = spec_of("a.jsonl", personal_data={"action": "pseudonymise"})
    read = in_pieces(tmp_path, spec, slice_bytes=1)
    passed = through_door(tmp_path, spec, read.sources, read.private)
    assert passed.privacy is not None
    assert passed.privacy.rows_changed == 9
    assert len({row.messages[1]["content"] for row in passed.rows}) == 1
    assert "anna@firm" not in passed.rows[0].messages[1]["content"]
    assert len({finding.digest for finding in passed.privacy.findings}) == 1


def test_blocked_licences_and_dropped_rows_leave_the_same(tmp_path: Path) -> None:
    rows = [
        {
            "prompt": f"Q{i}",
            "completion": MAIL if i % 3 else "A",
            "license": "MIT" if i % 2 else "x",
        }
        for i in range(40)
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = spec_of(
        "a.jsonl",
        personal_data={"action": "drop"},
        licenses={"allow": ["MIT"], "on_blocked": "drop"},
        duplicates={"exact": "drop", "near": "drop"},
    )
    read = check_same(tmp_path, spec)
    passed = through_door(tmp_path, spec, read.sources, read.private)
    assert set(passed.num_dropped) == {"license", "personal_data"}


def test_an_extra_that_a_worker_misses_is_said_by_the_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join(LINES), encoding="utf-8")
    monkeypatch.setitem(sys.modules, "spacy", None)
    asked = {"ner": "pipeline", "types": ["name"]}
    spec = spec_of("a.jsonl", personal_data=asked)
    read = check_same(tmp_path, spec)
    passed = through_door(tmp_path, spec, read.sources, read.private)
    assert passed.privacy is None
    told = [problem.line() for problem in passed.problems if "not looked for" in problem.message]
    assert told == [
        "data: personal data and secrets were not looked for: an NER pipeline needs spaCy "
        "(pip install spacy)"
    ]
    changing = spec_of("a.jsonl", personal_data={**asked, "action": "redact"})
    read = in_pieces(tmp_path, changing)
    with pytest.raises(MissingExtra, match="spaCy"):
        through_door(tmp_path, changing, read.sources, read.private)
