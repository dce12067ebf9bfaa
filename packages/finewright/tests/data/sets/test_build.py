"""Building a set: what lies in the folder, what is never overwritten, and where packages are read from."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from finewright import __version__, plugins
from finewright.catalog.sets import PackagedSet
from finewright.conformance.packages import make_packaged_set, npm_package, wheel_package
from finewright.data.sets.build import Content, DataSet, Fetched, SetContent, build_set, data_sets
from finewright.errors import DataError, FetchError, MissingExtra, UnknownPlugin
from finewright.schema.common import Model
from finewright.schema.sets import SetProvenance

FILES = ["feedback.jsonl", "provenance.json", "provenance_feedback.json", "rows.jsonl"]


class LineSettings(Model):
    """What the set of lines was built with."""

    seed: int = 7


def lines(fetched: Sequence[Fetched], facts: PackagedSet) -> SetContent:
    """Each line of each file is a row; a file says its licence in its name."""
    rows: list[dict] = []
    dropped: dict[str, int] = {}
    for package in fetched:
        for path, text in package.texts():
            if (license := path.rpartition(".")[2]) not in {facts.license, *facts.copyleft}:
                dropped[f"under {license}"] = dropped.get(f"under {license}", 0) + 1
                continue
            rows += [{"text": line, "from": package.source} for line in text.splitlines()]
    again = [{"prompt": row["text"]} for row in rows]
    return SetContent(
        Content({"rows.jsonl": rows}, LineSettings(), dropped),
        Content({"feedback.jsonl": again}, LineSettings(seed=8), {}),
    )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FINEWRIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Installed:
    """The facts of the set `lines`, as its plugin gives them."""

    facts: PackagedSet


def lines_set() -> DataSet:
    return DataSet(Installed.facts, lines)


@pytest.fixture
def catalog(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackagedSet]:
    """An installed set `lines` of two hand-made packages."""
    one = npm_package(cache, "@one/p", {"package/a.MIT": "a\nb\n", "package/b.GPL": "secret\n"})
    two = npm_package(cache, "two", {"package/deep/a.MIT": "c\n", "package/c.js": "d\n"})
    Installed.facts = make_packaged_set(
        one, two, members="*.[MG]*", copyleft=("GPL",), registry="npm"
    )
    monkeypatch.setitem(plugins.BUILTIN["set"], "lines", f"{__name__}:lines_set")
    yield Installed.facts
    del Installed.facts


def test_the_folder_holds_the_files_and_their_provenance(tmp_path, catalog):
    out = tmp_path / "deep" / "out"
    report = build_set("lines", out)
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert (out / "rows.jsonl").read_text().splitlines() == [
        '{"text": "a", "from": "@one/p@1.0.0"}',
        '{"text": "b", "from": "@one/p@1.0.0"}',
        '{"text": "c", "from": "two@1.0.0"}',
    ]
    provenance = json.loads((out / "provenance.json").read_text())
    for name in ("registry", "license", "source", "title"):
        assert provenance[name] == getattr(catalog, name)
    assert provenance["packages"] == [package.model_dump() for package in catalog.packages]
    assert provenance["observed_at"] == "2026-01-02"
    assert provenance["finewright"] == __version__
    assert provenance["settings"] == {"seed": 7}
    assert provenance["dropped"] == {"under GPL": 1}
    assert SetProvenance.model_validate(provenance) == report.provenance
    feedback = json.loads((out / "provenance_feedback.json").read_text())
    assert feedback["settings"] == {"seed": 8}
    assert SetProvenance.model_validate(feedback) == report.feedback
    for name, told in (provenance["files"] | feedback["files"]).items():
        content = (out / name).read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        assert told == {"rows": content.count(b"\n"), "sha256": sha256}
    assert report.written
    assert report.folder == str(out)


def test_a_folder_that_has_the_set_is_left_alone(tmp_path, catalog):
    build_set("lines", tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    report = build_set("lines", tmp_path / "out")
    assert not report.written
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before


def test_files_with_other_content_are_never_overwritten(tmp_path, catalog):
    (tmp_path / "rows.jsonl").write_text("mine\n")
    with pytest.raises(DataError, match=r"rows\.jsonl would be overwritten") as caught:
        build_set("lines", tmp_path)
    assert "--out" in caught.value.hint
    assert (tmp_path / "rows.jsonl").read_text() == "mine\n"
    assert not (tmp_path / "provenance.json").exists()


@pytest.mark.parametrize(
    "gone", [["provenance.json"], ["feedback.jsonl", "provenance_feedback.json"]]
)
def test_a_build_that_was_cut_off_is_completed(tmp_path, catalog, gone):
    out = tmp_path / "out"
    build_set("lines", out)
    whole = {path.name: path.read_bytes() for path in out.iterdir()}
    for name in gone:
        (out / name).unlink()
    assert build_set("lines", out).files_written == tuple(gone)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == whole


def test_an_unknown_set_is_told_what_was_meant():
    with pytest.raises(UnknownPlugin, match="no data set named 'sqll'") as caught:
        build_set("sqll", Path("out"))
    assert caught.value.hint == "did you mean 'sql'?"


def test_a_set_whose_package_is_not_installed_is_one_line_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(plugins, "find_installed", lambda kind: [])
    with pytest.raises(MissingExtra, match="'erc7730' comes with finewright-web3") as caught:
        build_set("erc7730", tmp_path / "out")
    assert caught.value.hint == 'pip install "finewright[web3]"'
    assert not (tmp_path / "out").exists()
    listed = data_sets()
    assert sorted(listed.sets) == [
        "bank-details",
        "bank-docs",
        "bank-facts",
        "bank-intents",
        "sql",
        "tool-calls",
    ]
    assert listed.not_installed["erc7730"] == 'pip install "finewright[web3]"'


def test_a_package_without_such_files_is_refused(tmp_path, cache, catalog):
    made = npm_package(cache, "empty", {"package/A.js": "1"})
    Installed.facts = make_packaged_set(made, members="*.MIT", registry="npm")
    with pytest.raises(FetchError, match=r"no file \*\.MIT can be read"):
        build_set("lines", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_copyleft_files_are_left_out_unless_they_are_asked_for(tmp_path, catalog):
    report = build_set("lines", tmp_path / "out")
    assert report.provenance.license == "MIT"
    assert "secret" not in (tmp_path / "out" / "rows.jsonl").read_text()
    with pytest.raises(DataError, match="would be overwritten"):
        build_set("lines", tmp_path / "out", include_copyleft=True)
    report = build_set("lines", tmp_path / "all", include_copyleft=True)
    assert report.provenance.license == "MIT AND GPL"
    assert "secret" in (tmp_path / "all" / "rows.jsonl").read_text()


def test_a_set_without_copyleft_files_refuses_to_be_asked_for_them(tmp_path, catalog):
    Installed.facts = catalog.model_copy(update={"copyleft": ()})
    with pytest.raises(DataError, match="no file of this set is left out") as caught:
        build_set("lines", tmp_path / "out", include_copyleft=True)
    assert "MIT" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_set_is_read_from_the_wheel_that_is_in_the_cache(tmp_path, cache, catalog):
    made = wheel_package(cache, "p", {"p/a.MIT": "a\n", "p/code.py": "raise SystemExit"})
    Installed.facts = make_packaged_set(made, members="p/*.MIT")
    report = build_set("lines", tmp_path / "out")
    assert build_set("lines", tmp_path / "again").provenance == report.provenance
    assert report.provenance.files["rows.jsonl"].rows == 1
    assert report.provenance.registry == "pypi"
