"""The catalog and a built set as a terminal shows them."""

from datetime import date

from finewright.data.sets.build import data_sets
from finewright.report.show import text_of
from finewright.schema.sets import Package, SetFile, SetProvenance, SetReport

PACKAGE = Package(name="p", version="1.0.0", integrity="sha256:" + "0" * 64, license="MIT")


def provenance(**more) -> SetProvenance:
    facts = {
        "name": "docs", "title": "Documents", "registry": "pypi", "packages": (PACKAGE,),
        "license": "MIT", "license_note": "by file", "source": "somewhere",
        "observed_at": date(2026, 1, 2), "finewright": "0", "settings": {}, "dropped": {},
        "files": {"documents.jsonl": SetFile(rows=3, sha256="0" * 64)},
    }  # fmt: skip
    return SetProvenance.model_validate(facts | more)


def test_the_list_has_a_line_a_set_with_its_rows_licence_and_use():
    lines = text_of(data_sets()).splitlines()
    for name, of in data_sets().sets.items():
        (line,) = [line for line in lines if line.startswith(f"{name} ")]
        assert line.split()[1:3] == [f"{sum(of.rows.values()):,}", of.license]
        assert line.endswith(of.use)
    assert lines[1] == "build one: finewright data get NAME"


def test_a_built_set_says_its_files_its_licence_and_what_was_left_out():
    built = provenance(dropped={"too short": 7}, settings={"include_copyleft": False})
    report = SetReport(
        folder="out",
        written=True,
        files_written=("documents.jsonl",),
        provenance=built,
        feedback=None,
    )
    assert text_of(report) == (
        "out: written: documents.jsonl\nDocuments\n"
        "licence: MIT (by file)\nfrom: p 1.0.0\n"
        "what is left out for its licence is kept with --include-copyleft\n\n"
        "file             rows\ndocuments.jsonl     3\n\n"
        "left out   count\ntoo short      7"
    )


def test_files_of_feedback_stand_with_the_others():
    feedback = provenance(files={"pairs.jsonl": SetFile(rows=5, sha256="0" * 64)})
    report = SetReport(folder="out", written=False, provenance=provenance(), feedback=feedback)
    text = text_of(report)
    assert "out: there already, left alone" in text
    assert "pairs.jsonl         5" in text
    assert "left out" not in text.replace("left alone", "")
    assert "copyleft" not in text
