"""`trust`: what may run and whose signatures count on this machine, as the user says it."""

import re
from datetime import date
from pathlib import Path

from finewright import trust
from finewright.errors import DataError
from finewright.schema.report import TrustedThing, TrustReport
from finewright.store.signing import own_key

_KEY = re.compile(r"(?:ed25519:)?([0-9a-f]{64})")


def list_trusted() -> TrustReport:
    """All that the user trusts, oldest first."""
    key = own_key()
    own = f"; your own key is {key}" if key else ""
    return _report_trust(f"kept in {trust.own_file('trusted')}{own}", trust.read_trusted())


def trust_code(path: Path, today: date) -> TrustReport:
    """The code of a file, or of a model folder, may run from now on, wherever a spec names exactly it."""
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder")
    if path.is_dir() and not (path / "config.json").is_file():
        raise DataError(f"{path}: is no model folder", hint="name the Python file itself")
    if not (files := trust.code_files(path)):
        raise DataError(f"{path}: there is no Python file here", hint="nothing needs to be trusted")
    entry = trust.Trusted("code", trust.code_digest(path), today, str(path.resolve()))
    trust.add(entry)
    return _report_trust(f"may run from now on: {', '.join(file.name for file in files)}", [entry])


def trust_key(key: str, name: str, today: date) -> TrustReport:
    """Runs that this key signs are known to be of `name` from now on."""
    match = _KEY.fullmatch(key)
    if match is None or not name.strip():
        raise DataError(
            f"{key!r} is no public key" if match is None else "the key needs a name",
            hint="`finewright verify RUN` shows the key of a run; ask its owner whether it is theirs",
        )
    entry = trust.Trusted("key", match[1], today, name)
    trust.add(entry)
    return _report_trust("what it signs is known from now on", [entry])


def distrust(what: str) -> TrustReport:
    """It is trusted no longer."""
    names = {what, str(Path(what).resolve())}
    if not (gone := [each for name in sorted(names) for each in trust.remove(name)]):
        raise DataError(f"{what}: nothing of that name is trusted", hint="finewright trust list")
    return _report_trust("trusted no longer", gone)


def _report_trust(said: str, entries: list[trust.Trusted]) -> TrustReport:
    return TrustReport(
        said=said,
        trusted=tuple(
            TrustedThing(kind=e.kind, value=e.value, since=e.since.isoformat(), what=e.what)
            for e in entries
        ),
    )
