"""The card says what was told and measured, and `not stated` of the rest."""

import json
from pathlib import Path

from finewright.data.provenance.card import CardFigures, CardSubject, data_card, write_card
from finewright.data.provenance.ledger import read_entries, read_leaves
from finewright.data.quality.measure import quality
from finewright.schema.common import RowCounts
from finewright.schema.provenance import DataCard
from finewright.schema.rows import Row

from .made import made_run


def card(tmp_path: Path, told: CardSubject, **measured: object) -> DataCard:
    made = made_run(tmp_path)
    entries = read_entries(read_leaves(made.run.root / "data" / "ledger.jsonl"))
    counts = RowCounts(rows_in=4, rows_kept=3, rows_dropped={"invalid": 1})
    return data_card(told, CardFigures(counts, **measured), entries, made.summary)  # type: ignore[arg-type]


def test_what_the_ledger_knows_is_on_the_card(tmp_path: Path) -> None:
    found = card(tmp_path, CardSubject("bot"))
    assert found.counts == {"read": 4, "kept": 3, "truncated": 0, "dropped: invalid": 1}
    assert found.splits == {"train": 2, "eval": 1}
    assert [(s.path, s.rows, s.licenses) for s in found.sources] == [
        ("a.jsonl", 2, ("GPL-3.0-only", "MIT")),
        ("more/b.jsonl", 1, ("unknown",)),
    ]
    assert {lic.license: lic.classes for lic in found.licenses} == {
        "GPL-3.0-only": ("copyleft",),
        "unknown": ("unknown",),
        "MIT": ("permissive",),
    }
    assert [str(day) for day in found.collected] == ["2026-01-02", "2026-01-02"]
    assert (found.synthetic_rows, found.changes) == (1, {"personal data and secrets replaced": 1})
    assert found.known_limits == (
        "1 of 3 rows have no known licence",
        "1 of 3 rows have no stated owner",
        "1 of 3 rows have no stated day of collection",
    )


def test_what_nobody_told_or_looked_for_is_not_claimed(tmp_path: Path) -> None:
    found = card(tmp_path, CardSubject("bot"))
    assert (found.motivation, found.intended_use) == ("not stated", "not stated")
    assert (found.personal_data, found.duplicates, found.tokens) == (None, None, None)
    _, text = write_card(tmp_path, found)
    markdown = text.read_text()
    assert "Nobody looked for personal data." in markdown
    assert "Duplicates: not measured" in markdown
    assert "## Motivation\n\nnot stated" in markdown


def test_tokens_are_those_that_were_counted(tmp_path: Path) -> None:
    rows = [Row(str(i), ({"role": "user", "content": "a b c"},), None, "f", i) for i in range(4)]
    counted = quality(rows, count_tokens=lambda text: len(text.split()))
    found = card(tmp_path, CardSubject("bot"), quality=counted)
    assert found.tokens == 12
    _, text = write_card(tmp_path, found)
    assert "Tokens: 12" in text.read_text()


def test_what_was_measured_is_said(tmp_path: Path) -> None:
    found = card(
        tmp_path, CardSubject("bot", intended_use="answers"), personal_data={"email": 2}, secrets={}
    )
    _, text = write_card(tmp_path, found)
    assert "Found of personal data: 2 email." in text.read_text()
    assert "Found of secrets: none." in text.read_text()
    assert "## Uses\n\nanswers" in text.read_text()


def test_the_card_is_the_same_as_json(tmp_path: Path) -> None:
    found = card(tmp_path, CardSubject("bot"))
    path, _ = write_card(tmp_path, found)
    assert DataCard.model_validate(json.loads(path.read_text())) == found


def test_names_of_others_are_no_markup(tmp_path: Path) -> None:
    found = card(tmp_path, CardSubject("a|b <script>\n# x"), limits=("[x](http://y)",))
    _, text = write_card(tmp_path, found)
    assert "# a\\|b \\<script\\> \\# x\n" in text.read_text()
    assert "- \\[x\\](http://y)" in text.read_text()
