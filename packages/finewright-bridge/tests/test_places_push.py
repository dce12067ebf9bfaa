"""A run in a bucket is whole or none, never another's; an alias means what it was set to, or is refused."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

import tiny_run
from finewright.cli.commands import VerifyOptions
from finewright.commands import command
from finewright.errors import DataError, FetchError, SpecError, StoreError
from finewright.schema.options import find_runs
from finewright.store import manifest
from finewright.store.rundir import RunDir
from finewright_bridge.places.alias import ALIASES
from finewright_bridge.places.push import LISTING, pull, push
from object_store import Bucket, bucket, endpoint

__all__ = ["bucket", "endpoint"]
pytestmark = pytest.mark.torch
KILLED = """
import os, signal, sys
from pathlib import Path
from finewright_bridge.places import push
put, done = push.put_object, []
def killing(at, content, mode="overwrite", **said):
    if len(done) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    put(at, content, mode, **said)
    done.append(at.key)
push.put_object = killing
push.push(Path(sys.argv[1]), "s3://ours/runs", tell=lambda _: None)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run.trained(tmp_path_factory.mktemp("made"), "{type: lora, r: 2, alpha: 4}")


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """The run, as this test may change it."""
    return shutil.copytree(made, tmp_path / "runs" / made.name)


def quiet(_: str) -> None:
    pass


def test_a_run_goes_and_comes_back_the_same(bucket: Bucket, run: Path, tmp_path: Path) -> None:
    told: list[str] = []
    done = push(run, "s3://ours/team/runs/", tell=told.append)
    prefix = f"team/runs/{run.name}"
    assert bucket.names() == sorted(
        f"{prefix}/{name}" for name in (LISTING, *(f.to for f in done.files))
    )
    assert all(file.to in told[0] for file in done.files[:20])
    back = Path(pull(f"s3://ours/{prefix}", tmp_path / "elsewhere").folder)
    covered = {row.path for row in manifest.read_manifest(RunDir(run)).artifacts}
    assert covered | {"manifest.json", "events.jsonl"} == {file.to for file in done.files}
    assert all((back / f.to).read_bytes() == (run / f.to).read_bytes() for f in done.files)
    assert not (back / LISTING).exists()
    assert manifest.verify(RunDir(back)) == []
    assert push(run, "s3://ours/team/runs", tell=quiet).moved == 0
    assert pull(f"s3://ours/{prefix}", tmp_path / "elsewhere").moved == 0


def test_a_list_alone_uploads_nothing(bucket: Bucket, run: Path) -> None:
    told: list[str] = []
    assert push(run, "s3://ours/runs", tell=told.append, is_dry=True).moved == 0
    assert "adapter_model.safetensors" in told[0]
    assert bucket.names() == []


def test_a_push_that_is_killed_between_files_is_no_run_and_goes_on(
    bucket: Bucket, run: Path, tmp_path: Path
) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(run)], check=False)
    assert killed.returncode == -9
    assert len(bucket.names()) == 3
    with pytest.raises(FetchError, match="half a run: its upload has not ended"):
        pull(f"s3://ours/runs/{run.name}", tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()
    done = push(run, "s3://ours/runs", tell=quiet)
    assert done.moved == len(done.files) - 2, "the listing and two files were there"
    assert pull(f"s3://ours/runs/{run.name}", tmp_path / "elsewhere").moved == len(done.files)


def test_a_file_of_the_same_size_but_other_content_is_put_again(
    bucket: Bucket, run: Path, tmp_path: Path
) -> None:
    done = push(run, "s3://ours/runs", tell=quiet)
    at = f"runs/{run.name}/train/base/adapter/adapter_model.safetensors"
    bucket.put({at: bytes(len(bucket.get(at)))})
    again = push(run, "s3://ours/runs", tell=quiet)
    assert again.moved == 1
    assert pull(f"s3://ours/runs/{run.name}", tmp_path / "back").moved == len(done.files)


def test_nothing_goes_over_another_run_or_another_push(bucket: Bucket, run: Path) -> None:
    at = f"runs/{run.name}"
    bucket.put({f"{at}/manifest.json": b"{}"})
    with pytest.raises(FetchError, match="another run is there"):
        push(run, "s3://ours/runs", tell=quiet)
    assert bucket.names() == [f"{at}/manifest.json"]
    bucket.put({f"other/{run.name}/{LISTING}": b"{}"})
    with pytest.raises(FetchError, match="a push of other content has begun"):
        push(run, "s3://ours/other", tell=quiet)
    push(run, "s3://ours/third", tell=quiet)
    (run / "events.jsonl").write_text("")
    with pytest.raises(FetchError, match="another run is there"):
        push(run, "s3://ours/third", tell=quiet)


def test_what_is_damaged_here_or_there_is_not_taken(
    bucket: Bucket, run: Path, tmp_path: Path
) -> None:
    push(run, "s3://ours/runs", tell=quiet)
    weights = next(
        f.to for f in push(run, "s3://ours/runs", tell=quiet).files if "adapter_m" in f.to
    )
    bucket.put({f"runs/{run.name}/{weights}": b"x" * (run / weights).stat().st_size})
    with pytest.raises(FetchError, match=r"adapter_model\.safetensors: is not what was pushed"):
        pull(f"s3://ours/runs/{run.name}", tmp_path / "elsewhere")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (run / weights).write_bytes(b"")
    with pytest.raises(DataError, match="adapter_model"):
        push(run, "s3://ours/fresh", tell=quiet)
    assert not any(name.startswith("fresh") for name in bucket.names())


class _Refusing(BaseHTTPRequestHandler):
    """Answers every PUT as S3 and MinIO do where a bucket is full or a token too old."""

    answer = (507, "XMinioStorageFull")

    def do_GET(self) -> None:
        self._send(200, b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._send(self.answer[0], f"<Error><Code>{self.answer[1]}</Code></Error>".encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def refusing(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Refusing]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        yield _Refusing
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "code", "wrong"),
    [
        (400, "ExpiredToken", "the credential has expired"),
        (403, "QuotaExceeded", "the bucket is full"),
        (507, "XMinioStorageFull", "the bucket is full"),
        (403, "InvalidAccessKeyId", "access is denied"),
        (404, "NoSuchBucket", "there is no such bucket"),
    ],
)
def test_a_place_that_refuses_is_one_line_that_says_what_is_safe(
    refusing: type[_Refusing], run: Path, status: int, code: str, wrong: str
) -> None:
    refusing.answer = (status, code)
    with pytest.raises(FetchError, match=wrong) as caught:
        push(run, "s3://ours/runs", tell=quiet)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert "Signature" not in str(caught.value)


def test_what_is_no_bucket_and_no_run_is_refused(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="is no folder of a bucket"):
        push(tmp_path, "https://example.org/runs", tell=quiet)
    with pytest.raises(FetchError, match="no run was pushed there"):
        pull("s3://ours/runs/none", tmp_path / "elsewhere")


def test_an_alias_means_its_run_until_that_is_another(run: Path) -> None:
    runs = run.parent
    command("alias set", alias="bot@production", run=run, runs=runs, progress=False)
    report = command("alias set", alias="bot@production", run=run, runs=runs, progress=False)
    assert [each.run for each in report.current] == [run.name]
    assert [each.alias for each in report.history] == ["bot@production"] * 2
    given = {"run": Path("bot@production"), "runs": runs}
    assert find_runs(VerifyOptions, given)["run"] == run
    path = run / "manifest.json"
    path.write_text(path.read_text().replace("adapter_model", "adapter_other"))
    with pytest.raises(StoreError, match="has been trained again since"):
        find_runs(VerifyOptions, given)


def test_an_alias_of_a_place_keeps_its_history_and_leads_to_the_run(
    bucket: Bucket, run: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="no whole run is there"):
        command(
            "alias set", alias="bot@production", run=run.name, at="s3://ours/runs", progress=False
        )
    push(run, "s3://ours/runs", tell=quiet)
    for name in ("bot@production", "bot@staging", "bot@production"):
        report = command("alias set", alias=name, run=run.name, at="s3://ours/runs", progress=False)
    assert [each.alias for each in report.history] == [
        "bot@production",
        "bot@staging",
        "bot@production",
    ]
    assert len(report.current) == 2
    back = pull("s3://ours/runs/bot@production", tmp_path / "elsewhere")
    assert Path(back.folder).name == run.name
    with pytest.raises(StoreError, match="no alias bot@canary there"):
        pull("s3://ours/runs/bot@canary", tmp_path / "elsewhere")


@pytest.mark.parametrize("kept", [1, 30, -2, -1])
def test_a_torn_line_sets_nothing_and_the_next_alias_stands(run: Path, kept: int) -> None:
    runs = run.parent
    for name in ("bot@production", "bot@staging"):
        command("alias set", alias=name, run=run, runs=runs, progress=False)
    path = runs / ALIASES
    first, second, _ = path.read_bytes().split(b"\n")
    path.write_bytes(first + b"\n" + (second + b"\n")[:kept])
    report = command("alias list", runs=runs, progress=False)
    is_whole = kept == -1  # only its end of line is gone
    assert [each.alias for each in report.history] == [
        "bot@production", *["bot@staging"] * is_whole
    ]  # fmt: skip
    assert [p.level for p in report.problems] == ["warning"] * (not is_whole)
    after = command("alias set", alias="bot@canary", run=run, runs=runs, progress=False)
    assert [each.alias for each in after.current][-1] == "bot@canary"
    assert len(after.history) == 2 + is_whole
    assert len(after.problems) == (not is_whole)


@pytest.mark.parametrize("line", ["no json", '{"alias": 3}', "[1, 2", '{"alias": "a@b"} x'])
def test_a_line_that_nobody_began_to_write_is_damage(run: Path, line: str) -> None:
    (run.parent / ALIASES).write_text(line + "\n")
    for verb in ("alias list", "alias set"):
        given = {"alias": "bot@a", "run": run} if verb == "alias set" else {}
        with pytest.raises(StoreError, match="is damaged"):
            command(verb, runs=run.parent, progress=False, **given)


def test_a_torn_line_in_a_place_sets_nothing(bucket: Bucket, run: Path) -> None:
    push(run, "s3://ours/runs", tell=quiet)
    asked = {"run": run.name, "at": "s3://ours/runs", "progress": False}
    command("alias set", alias="bot@a", **asked)
    whole = bucket.get(f"runs/{ALIASES}")
    bucket.put({f"runs/{ALIASES}": whole + whole[:40]})
    report = command("alias set", alias="bot@b", **asked)
    assert [each.alias for each in report.history] == ["bot@a", "bot@b"]
    assert len(report.problems) == 1
