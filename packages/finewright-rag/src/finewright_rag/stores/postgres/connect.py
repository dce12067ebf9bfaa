"""Where a PostgreSQL index is, the connection to it, and its server's complaints in one line each."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from finewright.errors import DataError, MissingExtra
from finewright.plugins import install_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection, Error

CONNECT_SECONDS = 10

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_HOST = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[^\[\]:]*)(?::\d+)?")
_LANGUAGE = re.compile(r"(?:^|&)language=([a-z]{2,30})(?=&|$)")

# What libpq says while connecting has no code; its own words are never shown, they may quote the address.
_REFUSALS = (
    (
        r"password authentication failed|authentication failed for user",
        "the server does not know this user with this password",
        "set PGPASSWORD, or write ~/.pgpass",
    ),
    (
        r"no password supplied",
        "the server asks for a password",
        "set PGPASSWORD, or write ~/.pgpass",
    ),
    (r"database .* does not exist", "no such database", "make it with `createdb`, or name another"),
    (r"role .* does not exist", "no such user", "make it with `createuser`, or name another"),
    (
        r"no pg_hba\.conf entry",
        "the server lets nobody in from here",
        "ask who runs it to add this machine to pg_hba.conf",
    ),
    (
        r"Connection refused|No such file or directory",
        "no server there",
        "start it, or fix host and port in the address",
    ),
    (r"could not translate host name|resolve host", "no such host", "fix it in the address"),
    (r"timeout expired|timed out", "no answer from the server", "is a firewall in between?"),
    (r"too many clients|remaining connection slots", "the server is full", "try again later"),
    (r"starting up|shutting down|recovery mode", "the server is starting or stopping", "wait"),
    (r"SSL|certificate", "no encrypted connection", "set sslmode and sslrootcert in the address"),
    (
        r"permission denied for database",
        "this user may not use the database",
        "GRANT CONNECT ON DATABASE ... TO ...",
    ),
)

_LOST = ("the connection was lost", "nothing of a change that was under way was kept")

_COMPLAINTS = {
    "42501": ("this user lacks a right", "GRANT it, or use the user that owns the index"),
    "55P03": ("another process is changing this index", "try again when it is done"),
    "53100": ("the server's disk is full", "make room there; nothing was changed"),
    "42P01": ("the index has gone from the database", "index the documents anew"),
    "42704": ("the index has gone from the database", "index the documents anew"),
    "3F000": ("the index has gone from the database", "index the documents anew"),
    "25006": ("the server only reads", "is it a standby? name the primary"),
    "57P01": _LOST,
    "57P02": _LOST,
    "57014": ("the server cancelled the query", "raise its statement_timeout"),
    "54000": ("too large for the server", "shorten the document's id or its chunks"),
    "42P06": ("another process made an index of this name", "name another with #NAME"),
}


class PostgresPlace(NamedTuple):
    """An address taken apart: `shown` may be printed, `language` is "" where none was named."""

    conninfo: str
    shown: str
    schema: str
    language: str


def place_of(target: str) -> PostgresPlace:
    """The place that `postgresql://USER@HOST/DATABASE?language=german#NAME` names.

    NAME is the schema that holds the index (`finewright` if unsaid), so that a database may hold several.
    What is shown of the address has neither password nor parameters."""
    address, _, name = target.partition("#")
    name = name or "finewright"
    try:
        parts = urlsplit(address)
        user = unquote(parts.username or "")
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        raise _unreadable() from None
    # A password with one of these signs would be read as host, port or path, and be printed.
    if address.count("@") > 1 or "@" in parts.path + parts.query or "@" in name:
        raise _unreadable()
    if not all(_HOST.fullmatch(each) for each in host.split(",")):
        raise _unreadable()
    shown = f"postgresql://{user}{'@' if user else ''}{host}{parts.path}#{name}"
    if not _NAME.fullmatch(name):
        raise DataError(
            f"{shown}: an index is named by lower-case letters, digits and _",
            hint="for instance postgresql://me@localhost/docs#handbook",
        )
    language = _LANGUAGE.search(parts.query)
    query = _LANGUAGE.sub("", parts.query).strip("&")
    bare = address.partition("?")[0]
    return PostgresPlace(
        f"{bare}?{query}" if query else bare, shown, name, language[1] if language else ""
    )


def _unreadable() -> DataError:
    return DataError(
        "the address of the PostgreSQL index cannot be read",
        hint="postgresql://USER@HOST:5432/DATABASE#NAME, the password in PGPASSWORD or ~/.pgpass, "
        "or percent-encoded (@ is %40, / is %2F, # is %23)",
    )


def connect(place: PostgresPlace) -> Connection:
    """A connection in which each statement is its own transaction unless one is begun."""
    try:
        import psycopg
    except ImportError:
        raise MissingExtra(
            "an index in PostgreSQL needs psycopg", hint=install_command("rag[postgres]")
        ) from None
    try:
        connection = psycopg.connect(
            place.conninfo,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            application_name="finewright",
            client_encoding="UTF8",
        )
    except psycopg.OperationalError as error:
        raise _refusal(place, str(error)) from None
    except psycopg.Error:
        raise _unreadable() from None
    # Compiling a query takes a tenth of a second, many times what running it does.
    with server_errors(place):
        connection.execute("SELECT pg_catalog.set_config('jit', 'off', false)")
    return connection


def _refusal(place: PostgresPlace, said: str) -> DataError:
    for pattern, what, mend in _REFUSALS:
        if re.search(pattern, said):
            return DataError(f"{place.shown}: {what}", hint=mend)
    return DataError(f"{place.shown}: cannot connect", hint="does `psql` connect to it?")


@contextmanager
def server_errors(place: PostgresPlace) -> Iterator[None]:
    """What the server complains of inside, as a DataError of one line that names the place."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise complaint(place, error) from None


def complaint(place: PostgresPlace, error: Error) -> DataError:
    """The server's complaint in one line; of its own words, only those that quote no rows."""
    what, mend = _COMPLAINTS.get(error.sqlstate or "", ("", ""))
    said = error.diag.message_primary or ""
    if not what and not said:
        what, mend = _LOST
    text = "; ".join(part for part in (what, said) if part)
    return DataError(f"{place.shown}: {text}", hint=mend or "see the server's log")
