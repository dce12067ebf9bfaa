"""Whose word about a licence holds."""

from pathlib import Path

import pytest

from finewright.data.provenance.policy import file_licence, licence_of, origin_of
from finewright.schema.rows import Row


def row(text: str = "hi", **columns: object) -> Row:
    turns = ({"role": "user", "content": "q"}, {"role": "assistant", "content": text})
    return Row("id", turns, None, "a.jsonl", 1, columns=columns)


SPDX = "// SPDX-License-Identifier: "


@pytest.mark.parametrize(
    ("found", "source", "file", "licence", "said_by"),
    [
        (row(), "MIT", "", "MIT", "source"),
        (row(), "MIT", "GPL-3.0-only", "GPL-3.0-only", "file"),
        (row(license="ISC"), "MIT", "GPL-3.0-only", "ISC", "row"),
        (row(meta={"license": "ISC"}), "unknown", "", "ISC", "row"),
        (row(license="unknown"), "MIT", "", "MIT", "source"),
        (row(license=None), "MIT", "", "MIT", "source"),
        (row(SPDX + "MIT"), "unknown", "", "MIT", "text"),
        (row(SPDX + "MIT"), "SEE LICENSE IN LICENSE.md", "", "MIT", "text"),
        (row(SPDX + "mit"), "MIT", "", "MIT", "source"),
        # The package says ISC, the file GPL: both hold.
        (row(SPDX + "GPL-3.0"), "ISC", "", "ISC AND GPL-3.0", "source"),
        (row(SPDX + "GPL-3.0"), "MIT OR ISC", "", "(MIT OR ISC) AND GPL-3.0", "source"),
        (row(SPDX + "GPL-3.0", license="MIT"), "ISC", "", "MIT AND GPL-3.0", "row"),
    ],
)
def test_the_closest_word_holds(
    found: Row, source: str, file: str, licence: str, said_by: str
) -> None:
    stated = licence_of(found, source, file)
    assert (stated.license, stated.license_from) == (licence, said_by)
    assert bool(stated.conflict) == ("AND" in licence)


def test_a_row_says_its_origin() -> None:
    assert origin_of(row(source="book")) == "book"
    assert origin_of(row(meta={"source": "pkg@1/x.sol"})) == "pkg@1/x.sol"
    assert origin_of(row(source=3)) == ""


def test_a_file_says_its_licence_in_its_head_or_beside_it(tmp_path: Path) -> None:
    code = tmp_path / "a.py"
    code.write_text("# SPDX-License-Identifier: MIT\n")
    rows = tmp_path / "b.jsonl"
    rows.write_text('{"text": "SPDX-License-Identifier: MIT"}\n')
    assert (file_licence(code), file_licence(rows)) == ("MIT", "")
    (tmp_path / "b.jsonl.license").write_text("SPDX-License-Identifier: CC-BY-4.0\n")
    assert file_licence(rows) == "CC-BY-4.0"
    assert file_licence(tmp_path / "none") == ""
