"""A real S3 server on this machine, moto's, and what the tests of `places` put into it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import obstore
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

from finewright_bridge.places import fetch


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Bucket"]:
    """An empty bucket, the variables that lead to it, and a cache of its own."""
    monkeypatch.setenv("FINEWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FINEWRIGHT_OFFLINE", raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
    }.items():
        monkeypatch.setenv(name, value)
    httpx.post(f"{endpoint}/moto-api/reset").raise_for_status()
    httpx.put(f"{endpoint}/ours").raise_for_status()
    fetch._found.clear()
    yield Bucket(endpoint)
    fetch._found.clear()


class Bucket:
    """The bucket `ours`, by obstore's own calls."""

    def __init__(self, endpoint: str) -> None:
        self.store = S3Store("ours", endpoint=endpoint, client_options={"allow_http": True})

    def put(self, contents: Mapping[str, bytes]) -> None:
        for path, content in contents.items():
            obstore.put(self.store, path, content)
        fetch._found.clear()  # as another process would ask

    def put_folder(self, prefix: str, folder: Path) -> None:
        files = [path for path in folder.rglob("*") if path.is_file()]
        self.put({f"{prefix}/{p.relative_to(folder).as_posix()}": p.read_bytes() for p in files})

    def get(self, path: str) -> bytes:
        return bytes(obstore.get(self.store, path).bytes())

    def names(self) -> list[str]:
        return sorted(each["path"] for part in obstore.list(self.store) for each in part)
