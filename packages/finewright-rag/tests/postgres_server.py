"""A PostgreSQL server of the tests' own: made in a folder, reached by a socket there, stopped at the end."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

_NOBODY = 65534
PASSWORD = "s3cret/@#word"  # noqa: S105 - of a server that lives for seconds
APT_PACKAGES = "postgresql-17 postgresql-17-pgvector"


class Server(NamedTuple):
    """Where it listens, and its files. `admin` is its superuser; anybody on the socket may be."""

    socket: Path
    data: Path
    bin: Path

    def address(self, database: str, *, user: str = "admin", more: str = "") -> str:
        return f"postgresql://{user}@/{database}?host={self.socket}{more}"

    def run(self, database: str, sql: str) -> None:
        import psycopg

        with psycopg.connect(self.address(database), autocommit=True) as connection:
            connection.execute(sql)

    def content(self) -> bytes:
        """All tables of all databases as they are on disk."""
        self.run("postgres", "CHECKPOINT")
        tables = sorted(path for path in (self.data / "base").rglob("*") if path.is_file())
        return b"".join(path.read_bytes() for path in tables)


def binaries() -> Path | None:
    """The folder of the newest server that has pgvector, or of any server."""
    on_path = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version, reverse=True)
    folders = [*debian, *([Path(on_path)] if on_path else [])]
    return next((initdb.resolve().parent for initdb in folders), None)


def _version(initdb: Path) -> int:
    name = initdb.parent.parent.name
    return int(name) if name.isdigit() else 0


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """The server; skips the test with the reason where there is none."""
    pytest.importorskip("psycopg", reason='needs pip install "finewright[postgres]"')
    folder = binaries()
    if folder is None:
        pytest.skip(f"no PostgreSQL server here (Debian: {APT_PACKAGES})")
    # A socket's path may have 107 bytes, fewer than pytest's folders take.
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    server = Server(home, home / "data", folder)
    password = home / "password"
    password.write_text(PASSWORD)
    for path in (home, password):
        if os.geteuid() == 0:
            os.chown(path, _NOBODY, _NOBODY)
    try:
        _own(folder / "initdb", "--pgdata", server.data, "--username=admin", "--encoding=UTF8",
             "--locale=C", "--auth=trust", "--no-sync", "--pwfile", password)  # fmt: skip
        hba = server.data / "pg_hba.conf"
        hba.write_text("local all guarded scram-sha-256\nlocal all all trust\n")
        settings = (
            "listen_addresses=",
            f"unix_socket_directories={home}",
            "fsync=off",
            "full_page_writes=off",
            "autovacuum=off",
        )
        options = " ".join(f"-c {setting}" for setting in settings)
        _own(folder / "pg_ctl", "--pgdata", server.data, "--wait", "--log", home / "log",
             "--options", options, "start")  # fmt: skip
        try:
            yield server
        finally:
            _own(folder / "pg_ctl", "--pgdata", server.data, "--wait", "--mode=immediate", "stop")
    finally:
        shutil.rmtree(home)


def _own(*command: str | Path) -> None:
    """Run as somebody who is not root, whom PostgreSQL refuses."""
    user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    subprocess.run(
        [str(part) for part in command], check=True, capture_output=True, cwd="/", **user
    )


def has_pgvector(server: Server) -> bool:
    import psycopg

    with psycopg.connect(server.address("postgres")) as connection:
        row = connection.execute(
            "SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"
        ).fetchone()
    return row is not None
