"""What comes from a place is what its pin says, or what it was when it first came; all else is refused."""

import hashlib
import shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from finewright.commands import command
from finewright.errors import DataError, FetchError, FinewrightError, SpecError
from finewright.fetch.cache import cache_dir
from finewright.lm.sources import base_digest, folder_digest, locate
from finewright.place import bring, is_address
from finewright.schema.load import load_spec
from finewright.workbench.check import check
from finewright.workbench.plan import plan
from finewright.workbench.runs import verify
from finewright.workbench.up import up
from finewright_bridge.launch.upload import collect
from finewright_bridge.places import fetch
from finewright_bridge.places.stores import locate_address
from launching import SPEC, make_project
from object_store import Bucket, bucket, endpoint

__all__ = ["bucket", "endpoint"]
pytestmark = pytest.mark.torch
ROWS = b'{"prompt": "the red 1", "completion": "red"}\n'
MORE = ROWS + b'{"prompt": "the blue 2", "completion": "blue"}\n'
SHA = hashlib.sha256(ROWS).hexdigest()
PINNED = f"s3://ours/data/rows.jsonl#sha256={SHA}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("made")).parent


def test_a_file_comes_whole_and_from_the_cache_ever_after(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put({"data/rows.jsonl": ROWS})
    path = bring("s3://ours/data/rows.jsonl")
    assert (path.name, path.read_bytes()) == ("rows.jsonl", ROWS)
    monkeypatch.setenv("FINEWRIGHT_OFFLINE", "1")
    fetch._found.clear()
    assert bring("s3://ours/data/rows.jsonl") == path
    assert bring(PINNED) == path


def test_a_file_that_changed_is_refused_with_the_line_that_accepts_it(bucket: Bucket) -> None:
    bucket.put({"data/rows.jsonl": ROWS})
    bring("s3://ours/data/rows.jsonl")
    bucket.put({"data/rows.jsonl": MORE})
    with pytest.raises(FetchError, match="has changed since it was fetched on 20") as caught:
        bring("s3://ours/data/rows.jsonl")
    accepted = f"s3://ours/data/rows.jsonl#sha256={hashlib.sha256(MORE).hexdigest()}"
    assert accepted in caught.value.hint
    assert bring(accepted).read_bytes() == MORE
    assert bring(PINNED).read_bytes() == ROWS, "what was is still here by its pin"


def test_a_file_that_is_not_its_pin_is_refused(bucket: Bucket) -> None:
    bucket.put({"data/rows.jsonl": MORE})
    with pytest.raises(FetchError, match="has changed since its pin"):
        bring(PINNED)


def test_what_was_damaged_in_the_cache_is_fetched_anew(bucket: Bucket) -> None:
    bucket.put({"data/rows.jsonl": ROWS})
    path = bring(PINNED)
    path.write_bytes(MORE)
    fetch._found.clear()
    assert bring(PINNED).read_bytes() == ROWS


def test_an_address_is_no_path() -> None:
    assert all(map(is_address, ("s3://b/x", "gs://b", "az://c/x", "https://h/x")))
    assert not any(map(is_address, ("hub:o/n", "rows.jsonl", "C:/rows", "o/n@main", "runs/a:b")))


@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("https://ada:secret@host/x.jsonl", "takes no user"),
        ("https://host/x.jsonl?X-Amz-Signature=0123", "takes no user"),
        ("http://example.org/x.jsonl", "http is for this machine alone"),
        ("s3://ours/x.jsonl#sha256=12", "64 hex digits"),
        ("s3://ours/../x.jsonl", "names no file"),
    ],
)
def test_an_address_that_cannot_be_is_refused_without_its_secret(address: str, wrong: str) -> None:
    with pytest.raises(SpecError, match=wrong) as caught:
        locate_address(address)
    assert "secret@" not in str(caught.value)
    assert "0123" not in str(caught.value)


def test_nothing_there_no_bucket_no_server_and_no_scheme_are_one_line_each(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = {
        "s3://ours/none.jsonl": "no such object",
        "s3://not-ours/x.jsonl": "no such bucket",
        "ftp://host/x.jsonl": "no place named 'ftp'",
    }
    for address, wrong in cases.items():
        with pytest.raises(FinewrightError, match=wrong):
            bring(address)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:9 cannot be reached") as caught:
        bring("s3://ours/rows.jsonl")
    assert "\n" not in str(caught.value)


def test_a_model_comes_whole_without_pickles_and_by_the_digest_of_its_lock(
    bucket: Bucket, made: Path
) -> None:
    bucket.put_folder("model", made / "base")
    bucket.put({"model/pytorch_model.bin": b"pickle", "model/old/model.safetensors": b"no"})
    base = locate("s3://ours/model/", made)
    assert {path.name for path in base.folder.iterdir()} == {
        path.name for path in (made / "base").iterdir()
    }
    assert base.sha256 == folder_digest(made / "base") == base_digest("s3://ours/model/", made)
    assert locate(f"s3://ours/model#sha256={base.sha256}", made).folder == base.folder


def test_half_a_model_is_none(bucket: Bucket, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put_folder("model", made / "base")
    download, done = fetch._download, list[str]()

    def cut(at: object, expected: object, target: Path) -> None:
        if done:
            raise KeyboardInterrupt
        download(at, expected, target)  # type: ignore[arg-type]
        done.append(target.name)

    with monkeypatch.context() as patch:
        patch.setattr(fetch, "_download", cut)
        with pytest.raises(KeyboardInterrupt):
            locate("s3://ours/model", made)
    assert done
    assert [path for path in cache_dir().rglob("*") if path.is_file()] == []
    assert locate("s3://ours/model", made).sha256 == folder_digest(made / "base")


def test_check_plan_up_and_verify_agree_on_rows_and_models_elsewhere(
    bucket: Bucket, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINEWRIGHT_KERNELS", "off")  # else they are built anew in the empty cache
    bucket.put_folder("model", made / "base")
    bucket.put({"rows.jsonl": (made / "rows.jsonl").read_bytes()})
    text = SPEC.replace("./base", "s3://ours/model").replace("rows.jsonl", "s3://ours/rows.jsonl")
    shutil.copytree(made / "held", tmp_path / "held")
    (tmp_path / "spec.yaml").write_text(text)
    loaded = load_spec(tmp_path / "spec.yaml")
    assert check(loaded).passed
    assert plan(loaded).passed
    run = Path(up(loaded, tmp_path / "runs", on_event=lambda *_: None, through="data").summary.run)
    assert verify(run).passed
    bucket.put({"rows.jsonl": MORE})
    assert verify(run).passed, "what the run was made of is here by its digest"
    with pytest.raises(FetchError, match="has changed since"):
        check(loaded)
    shutil.rmtree(tmp_path / "cache")
    fetch._found.clear()
    problems = verify(run).problems
    assert any("raw file" in problem.message for problem in problems)


def test_a_web_server_gives_files_and_lists_none(
    bucket: Bucket, endpoint: str, tmp_path: Path
) -> None:
    (tmp_path / "a b.jsonl").write_bytes(ROWS)
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}"
        assert bring(f"{root}/a%20b.jsonl").read_bytes() == ROWS
        with pytest.raises(FetchError, match="there is no such file"):
            bring(f"{root}/none.jsonl")
        server.shutdown()


def test_a_command_reads_a_file_of_a_place(bucket: Bucket) -> None:
    bucket.put({"data/rows.jsonl": MORE})
    report = command("data check", path="s3://ours/data/rows.jsonl", progress=False)
    assert report.rows_in == 2
    with pytest.raises(DataError, match="is no run folder here") as caught:
        command("verify", run="s3://ours/runs/x", progress=False)
    assert caught.value.hint == "finewright pull s3://ours/runs/x"


def test_a_launch_takes_rows_and_model_of_a_place_along(
    bucket: Bucket, made: Path, tmp_path: Path
) -> None:
    bucket.put_folder("model", made / "base")
    bucket.put({"rows.jsonl": (made / "rows.jsonl").read_bytes()})
    text = SPEC.replace("./base", "s3://ours/model").replace("rows.jsonl", "s3://ours/rows.jsonl")
    shutil.copytree(made / "held", tmp_path / "p" / "held")
    (tmp_path / "p" / "spec.yaml").write_text(text)
    sent = collect(load_spec(tmp_path / "p" / "spec.yaml"), ())
    assert "s3://" not in sent.spec
    names = {Path(file.to).name for file in sent.files}
    assert {"1-rows.jsonl", "model.safetensors", "config.json"} <= names
    assert sent.fetched == ()
