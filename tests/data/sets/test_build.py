"""Building a set: what lies in the folder, what is never overwritten, and the real one."""

import base64
import hashlib
import io
import json
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from finewright import __version__
from finewright.catalog.sets import DataSets, PackagedSet, data_sets
from finewright.data.sets import build as sets
from finewright.data.sets.build import build_set
from finewright.data.sets.solidity import family_of_row
from finewright.errors import DataError, FetchError, UnknownPlugin
from finewright.schema.sets import Package, Provenance

from .registry import CHAINS, embedded, many

CONVERSATIONS = [
    "test_seen.jsonl",
    "test_unseen.jsonl",
    "test_unseen_protocols.jsonl",
    "train.jsonl",
]
FEEDBACK = [
    "preference_test.jsonl",
    "preference_train.jsonl",
    "prompts_test.jsonl",
    "prompts_train.jsonl",
]
RECORDS = ["provenance.json", "provenance_feedback.json"]


def tarball(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Package]:
    """Makes a package of these files that is in the cache already."""
    monkeypatch.setenv("FINEWRIGHT_CACHE", str(tmp_path / "cache"))

    def package(name: str, files: dict[str, str]) -> Package:
        content = tarball(files)
        digest = hashlib.sha512(content).digest()
        cached = tmp_path / "cache" / "packages" / f"{digest.hex()}.tgz"
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_bytes(content)
        integrity = f"sha512-{base64.b64encode(digest).decode()}"
        return Package(name=name, version="1.0.0", integrity=integrity, license="MIT")

    return package


def by_hand(*packages: Package, members: str, license: str, registry: str = "npm") -> PackagedSet:
    return PackagedSet(
        title="By hand",
        use="tests",
        registry=registry,
        packages=packages,
        members=(members,),
        rows={},
        license=license,
        license_note="",
        source="a test",
        observed_at=date(2026, 1, 2),
        chains=CHAINS,
    )


@pytest.fixture
def catalog(package: Callable[..., Package], monkeypatch: pytest.MonkeyPatch) -> PackagedSet:
    """A catalog whose one set comes from a hand-made package."""
    text = embedded(many("Alpha", 8), many("Beta", 4), many("Eps", 2))
    made = package("by-hand", {"package/r.js": text})
    packaged = by_hand(made, members="package/r.js", license="CC0-1.0")
    monkeypatch.setattr(sets, "data_sets", lambda: DataSets(sets={"erc7730": packaged}))
    return packaged


def test_the_folder_holds_the_splits_and_their_provenance(tmp_path, catalog):
    out = tmp_path / "deep" / "out"
    report = build_set("erc7730", out)
    names = sorted(path.name for path in out.iterdir())
    assert names == sorted([*CONVERSATIONS, *FEEDBACK, *RECORDS])
    provenance = json.loads((out / "provenance.json").read_text())
    for name in ("registry", "license", "source", "title"):
        assert provenance[name] == getattr(catalog, name)
    assert provenance["packages"] == [package.model_dump() for package in catalog.packages]
    assert provenance["observed_at"] == "2026-01-02"
    assert provenance["finewright"] == __version__
    assert provenance["settings"]["functions_seen"] == 90
    assert provenance["dropped"] == {}
    assert sorted(provenance["files"]) == CONVERSATIONS
    feedback = json.loads((out / "provenance_feedback.json").read_text())
    assert sorted(feedback["files"]) == FEEDBACK
    assert feedback["settings"] == {"seed": 0}
    assert Provenance.model_validate(feedback) == report.feedback
    for name, told in (provenance["files"] | feedback["files"]).items():
        content = (out / name).read_bytes()
        assert told == {
            "rows": content.count(b"\n"),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    assert report.written
    assert report.folder == str(out)


def test_a_folder_that_has_the_set_is_left_alone(tmp_path, catalog):
    build_set("erc7730", tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    report = build_set("erc7730", tmp_path / "out")
    assert not report.written
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before


def test_files_with_other_content_are_never_overwritten(tmp_path, catalog):
    (tmp_path / "train.jsonl").write_text("mine\n")
    with pytest.raises(DataError, match=r"train\.jsonl would be overwritten") as caught:
        build_set("erc7730", tmp_path)
    assert "--out" in caught.value.hint
    assert (tmp_path / "train.jsonl").read_text() == "mine\n"
    assert not (tmp_path / "provenance.json").exists()


def test_a_build_that_was_cut_off_is_completed(tmp_path, catalog):
    build_set("erc7730", tmp_path / "out")
    (tmp_path / "out" / "provenance.json").unlink()
    assert build_set("erc7730", tmp_path / "out").written
    assert (tmp_path / "out" / "provenance.json").exists()


def test_a_folder_with_the_conversations_alone_gets_the_rest(tmp_path, catalog):
    out = tmp_path / "out"
    build_set("erc7730", out)
    whole = {path.name: path.read_bytes() for path in out.iterdir()}
    for name in (*FEEDBACK, "provenance_feedback.json"):
        (out / name).unlink()
    assert build_set("erc7730", out).written
    assert {path.name: path.read_bytes() for path in out.iterdir()} == whole


def test_an_unknown_set_is_told_what_was_meant():
    with pytest.raises(UnknownPlugin, match="did you mean 'erc7730'") as caught:
        build_set("erc7730s", Path("out"))
    assert caught.value.hint == f"known: {', '.join(data_sets().sets)}"


def contract(name: str, *functions: str) -> str:
    members = "\n".join(
        f"/// Returns {function} of the contract {name}.\nfunction {function}() {{ {name}; }}"
        for function in functions
    )
    return f"// SPDX-License-Identifier: MIT\ncontract {name} {{\n{members}\n}}\n"


def test_all_files_of_all_packages_are_in_a_set_of_solidity(tmp_path, package, monkeypatch):
    first = package(
        "@one/p",
        {
            "package/A.sol": contract("A", "a", "b"),
            "package/deep/B.sol": contract("B", "c"),
            "package/C.js": contract("C", "d"),
        },
    )
    second = package("two", {"package/A.sol": contract("A", "a", "e")})
    packaged = by_hand(first, second, members="*.sol", license="MIT")
    monkeypatch.setattr(sets, "data_sets", lambda: DataSets(sets={"solidity": packaged}))
    report = build_set("solidity", tmp_path / "out")
    rows = rows_of(tmp_path / "out", ["test.jsonl", "train.jsonl"])
    assert rows["test.jsonl"] == []
    assert sorted(row["meta"]["source"] for row in rows["train.jsonl"]) == [
        "@one/p@1.0.0/A.sol#A.a",
        "@one/p@1.0.0/A.sol#A.b",
        "@one/p@1.0.0/deep/B.sol#B.c",
        "two@1.0.0/A.sol#A.e",
    ]
    assert report.provenance.packages == (first, second)
    assert report.provenance.dropped == {"a copy of another function": 1}
    assert report.feedback.dropped == {"with a body of under 20 characters": 4}
    told = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert told["settings"] == {"min_natspec_chars": 25, "test_share": 0.1, "seed": 0}
    assert Provenance.model_validate(told) == report.provenance


def test_a_package_without_such_files_is_refused(tmp_path, package, monkeypatch):
    made = package("empty", {"package/A.js": "1"})
    packaged = by_hand(made, members="*.sol", license="MIT")
    monkeypatch.setattr(sets, "data_sets", lambda: DataSets(sets={"solidity": packaged}))
    with pytest.raises(FetchError, match=r"no file \*\.sol can be read"):
        build_set("solidity", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def natspec(name: str, license: str) -> str:
    return (
        contract(name, "go").replace("MIT", license).replace("of the contract", "of this contract")
    )


@pytest.fixture
def documents(package: Callable[..., Package], monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalog whose one set has a file under a copyleft licence."""
    files = {"package/A.sol": natspec("A", "MIT"), "package/B.sol": natspec("B", "GPL-3.0")}
    packaged = by_hand(package("docs", files), members="*.sol", license="MIT")
    packaged = packaged.model_copy(update={"copyleft": ("GPL-3.0",)})
    monkeypatch.setattr(sets, "data_sets", lambda: DataSets(sets={"natspec-docs": packaged}))


@pytest.mark.usefixtures("documents")
def test_copyleft_files_are_left_out_unless_they_are_asked_for(tmp_path):
    report = build_set("natspec-docs", tmp_path / "out")
    assert report.provenance.license == "MIT"
    assert report.provenance.dropped["page of a file under GPL-3.0"] == 1
    assert report.feedback is None
    assert not (tmp_path / "out" / "provenance_feedback.json").exists()
    (page,) = rows_of(tmp_path / "out", ["documents.jsonl"])["documents.jsonl"]
    assert page["license"] == "MIT"
    with pytest.raises(DataError, match="would be overwritten"):
        build_set("natspec-docs", tmp_path / "out", include_copyleft=True)
    report = build_set("natspec-docs", tmp_path / "all", include_copyleft=True)
    assert report.provenance.license == "MIT AND GPL-3.0"
    assert report.provenance.settings["include_copyleft"] is True
    pages = rows_of(tmp_path / "all", ["documents.jsonl"])["documents.jsonl"]
    assert [page["license"] for page in pages] == ["MIT", "GPL-3.0"]


def test_a_set_without_copyleft_files_refuses_to_be_asked_for_them(tmp_path, catalog):
    with pytest.raises(DataError, match="no file of this set is left out") as caught:
        build_set("erc7730", tmp_path / "out", include_copyleft=True)
    assert "CC0-1.0" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_set_is_read_from_the_wheel_that_is_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FINEWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FINEWRIGHT_OFFLINE", "1")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        tool = {"name": "time", "description": "The time.", "parameters": {"type": "dict"}}
        asked = {"id": "a", "question": [[{"role": "user", "content": "Hi"}]], "function": [tool]}
        wheel.writestr("p/data/BFCL_v4_irrelevance.json", json.dumps(asked) + "\n")
        wheel.writestr("p/code.py", "raise SystemExit")
    sha256 = hashlib.sha256(buffer.getvalue()).hexdigest()
    cached = tmp_path / "cache" / "packages" / f"{sha256}.whl"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(buffer.getvalue())
    made = Package(name="p", version="1.0.0", integrity=f"sha256:{sha256}", license="Apache-2.0")
    packaged = by_hand(made, members="p/data/BFCL_v4_*.json", license="Apache-2.0", registry="pypi")
    monkeypatch.setattr(sets, "data_sets", lambda: DataSets(sets={"tool-calls": packaged}))
    report = build_set("tool-calls", tmp_path / "out")
    assert build_set("tool-calls", tmp_path / "again").provenance == report.provenance
    assert {name: told.rows for name, told in report.provenance.files.items()} == {
        "train.jsonl": 0,
        "test.jsonl": 1,
    }
    assert report.provenance.registry == "pypi"


def test_every_set_of_the_catalog_can_be_built():
    assert data_sets().sets.keys() == sets._BUILDERS.keys()


def rows_of(folder: Path, names: list[str]) -> dict[str, list[dict]]:
    return {
        name: [json.loads(line) for line in (folder / name).read_bytes().splitlines()]
        for name in names
    }


@pytest.mark.network
def test_the_real_set_is_fetched_and_built_with_disjoint_splits(tmp_path, monkeypatch):
    monkeypatch.setenv("FINEWRIGHT_CACHE", str(tmp_path / "cache"))
    report = build_set("erc7730", tmp_path / "out")
    rows = rows_of(tmp_path / "out", CONVERSATIONS)
    counted = {name: told.rows for name, told in report.provenance.files.items()}
    assert counted == data_sets().sets["erc7730"].rows
    train, seen = rows["train.jsonl"], rows["test_seen.jsonl"]
    unseen, strangers = rows["test_unseen.jsonl"], rows["test_unseen_protocols.jsonl"]
    assert [len(train), len(seen), len(unseen), len(strangers)] == [450, 90, 45, 30]
    names = {row["meta"]["function"].casefold() for row in train}
    assert names == {row["meta"]["function"].casefold() for row in seen}
    assert not names & {row["meta"]["function"].casefold() for row in (*unseen, *strangers)}
    protocols = {row["meta"]["protocol"] for row in train}
    assert not protocols & {row["meta"]["protocol"] for row in strangers}
    asked = Counter(row["messages"][1]["content"] for part in rows.values() for row in part)
    assert set(asked.values()) == {1}
    intents = Counter(json.loads(row["messages"][2]["content"])["intent"] for row in train)
    assert max(intents.values()) <= 0.07 * 450
    feedback = rows_of(tmp_path / "out", FEEDBACK)
    assert [len(part) for part in feedback.values()] == [165, 450, 165, 450]
    for kind in ("preference", "prompts"):
        asked = [row["prompt"] for row in feedback[f"{kind}_train.jsonl"]]
        assert asked == [row["messages"][:2] for row in train]
        assert feedback[f"{kind}_test.jsonl"][135]["prompt"] == strangers[0]["messages"][:2]


@pytest.mark.network
def test_the_real_solidity_set_is_licensed_and_has_no_family_on_both_sides(tmp_path, monkeypatch):
    monkeypatch.setenv("FINEWRIGHT_CACHE", str(tmp_path / "cache"))
    report = build_set("solidity", tmp_path / "out")
    files = rows_of(tmp_path / "out", ["train.jsonl", "test.jsonl"])
    train, test = files["train.jsonl"], files["test.jsonl"]
    assert [len(train), len(test)] == [2956, 328]
    assert data_sets().sets["solidity"].rows == {"train.jsonl": 2956, "test.jsonl": 328}
    # The compiler finds 5642 functions with a body in these packages.
    assert len(train) + len(test) + sum(report.provenance.dropped.values()) == 5642
    assert {row["meta"]["license"] for row in (*train, *test)} == {"MIT"}
    pairs = rows_of(tmp_path / "out", ["preference_train.jsonl", "preference_test.jsonl"])
    assert [len(part) for part in pairs.values()] == [600, 120]
    all_rows = len(train) + len(test)
    assert sum(report.feedback.dropped.values()) + 600 + 120 == all_rows
    assert not any(pair["chosen"] == pair["rejected"] for part in pairs.values() for pair in part)
    sides = [
        [*train, *pairs["preference_train.jsonl"]],
        [*test, *pairs["preference_test.jsonl"]],
    ]
    families = [{family_of_row(row) for row in rows} for rows in sides]
    assert families[0] & families[1] == set()
    asked = Counter(row["messages"][1]["content"] for row in (*train, *test))
    answered = Counter(row["messages"][2]["content"] for row in (*train, *test))
    assert {*asked.values(), *answered.values()} == {1}


@pytest.mark.network
@pytest.mark.parametrize("name", ["natspec-docs", "bank-docs", "bank-facts", "tool-calls", "sql"])
def test_the_real_sets_have_the_rows_that_the_catalog_counts_each_with_its_origin(tmp_path, name):
    report = build_set(name, tmp_path / "out")
    counted = {file: told.rows for file, told in report.provenance.files.items()}
    assert counted == data_sets().sets[name].rows
    sources = {f"{of.name}@{of.version}" for of in report.provenance.packages}
    for rows in rows_of(tmp_path / "out", list(counted)).values():
        assert {row["license"] for row in rows} == {data_sets().sets[name].license}
        assert {row["source"] for row in rows} <= sources
        assert all(row["source_file"] for row in rows)


@pytest.mark.network
def test_every_gold_document_is_there_and_licences_are_as_measured(tmp_path):
    report = build_set("natspec-docs", tmp_path / "docs", include_copyleft=True)
    files = rows_of(tmp_path / "docs", list(report.provenance.files))
    licences = Counter(row["license"] for row in files["documents.jsonl"])
    assert licences == {"MIT": 278, "GPL-3.0": 75}
    build_set("bank-docs", tmp_path / "bank")
    bank = rows_of(tmp_path / "bank", ["documents.jsonl", "questions.jsonl"])
    build_set("bank-facts", tmp_path / "facts")
    facts = rows_of(tmp_path / "facts", ["documents.jsonl", "train.jsonl", "test.jsonl"])
    for of_set in (files, bank, facts):
        ids = {row["id"] for row in of_set["documents.jsonl"]}
        assert len(ids) == len(of_set["documents.jsonl"])
        asked = [row for file, rows in of_set.items() if file != "documents.jsonl" for row in rows]
        assert asked
        assert all(row["gold"] and ids.issuperset(row["gold"]) for row in asked)
