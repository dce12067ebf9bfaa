"""A bundle: others' programs take it, and nothing in it changes unseen."""

import base64
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID
from google.protobuf.json_format import ParseDict
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from model_signing import verifying
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from cli.conftest import Finewright
from finewright.store.signing import own_key

PRIVATE = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
PUBLIC = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def bundle(run: Path, finewright: Finewright) -> Path:
    released = finewright("release", "run", "--policy", "policy.yaml", "--out", "bundle")
    assert released.code == 0, released.err
    return run.parent / "bundle"


@pytest.fixture
def public(bundle: Path, finewright: Finewright) -> Path:
    """The key of its maker, as another user has it."""
    report = json.loads(finewright("verify", "bundle", "--json").out)
    path = bundle.parent / "maker.pub"
    path.write_bytes(Path(report["key"]).read_bytes())
    return path


def key_pair(folder: Path, name: str) -> ec.EllipticCurvePrivateKey:
    made = ec.generate_private_key(ec.SECP256R1())
    (folder / f"{name}.pem").write_bytes(made.private_bytes(*PRIVATE))
    (folder / f"{name}.pub").write_bytes(made.public_key().public_bytes(*PUBLIC))
    return made


def test_model_signing_itself_accepts_the_signature(bundle: Path, public: Path) -> None:
    config = verifying.Config().use_elliptic_key_verifier(public_key=public)
    config.verify(bundle, bundle / "model.sig")


def test_the_provenance_is_read_and_checked_by_the_libraries_of_in_toto(bundle: Path) -> None:
    envelope = Envelope.from_dict(json.loads((bundle / "provenance.dsse.json").read_text()))
    value = {"public": own_key()}
    key = SSlibKey(own_key(), "ed25519", "ed25519", value)
    assert set(envelope.verify([key], 1)) == {own_key()}
    found = json.loads(envelope.payload)
    Statement.copy_from_pb(ParseDict(found, StatementMessage())).validate()
    assert found["predicateType"] == "https://slsa.dev/provenance/v1"
    named = {each["name"]: each["digest"]["sha256"] for each in found["subject"]}
    weights = json.loads((bundle / "run" / "manifest.json").read_text())["artifacts"]
    (adapter,) = [row for row in weights if row["path"].endswith("adapter_model.safetensors")]
    assert named["model/adapter_model.safetensors"] == adapter["sha256"]
    used = {each["name"] for each in found["predicate"]["buildDefinition"]["resolvedDependencies"]}
    assert {"./base", "rows.jsonl", "finewright's source"} <= used


def test_the_bill_has_the_seven_clusters_of_the_g7(bundle: Path) -> None:
    bill = json.loads((bundle / "bom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.7")
    metadata, model = bill["metadata"], bill["metadata"]["component"]
    assert metadata["tools"]["components"][0]["name"] == "finewright"
    assert metadata["lifecycles"] == [{"phase": "build"}]
    assert model["supplier"]["name"] == metadata["supplier"]["name"] == "Acme"
    assert model["description"] == "not stated"
    weights = {each["name"]: each for each in model["components"]}
    assert weights["model/adapter_model.safetensors"]["hashes"][0]["alg"] == "SHA-256"
    card = model["modelCard"]
    assert card["modelParameters"]["datasets"] == [{"ref": "data:rows.jsonl"}]
    slices = {each["slice"]: each for each in card["quantitativeAnalysis"]["performanceMetrics"]}
    assert slices["tuned, eval, n 4"]["type"] == "token_f1"
    parts = {each["type"] for each in bill["components"]}
    assert parts == {"machine-learning-model", "data", "library"}
    names = {each["name"] for each in bill["properties"]}
    assert {"finewright:infrastructure:cores", "finewright:security:rule:weights"} <= names
    depends = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    assert "machine-learning-model:./base" in depends[model["bom-ref"]]


def test_a_flipped_bit_of_any_file_is_found_and_its_file_named(
    bundle: Path, public: Path, finewright: Finewright
) -> None:
    rng = random.Random(7)  # noqa: S311
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    assert len(files) > 15
    for path in [*files, *[bundle / "model.sig"] * 12]:
        content = path.read_bytes()
        changed = bytearray(content)
        changed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(changed))
        found = finewright("verify", "bundle", "--key", str(public))
        assert found.code == 2
        assert f"error: {path.relative_to(bundle).as_posix()}: " in found.out
        path.write_bytes(content)
    assert finewright("verify", "bundle", "--key", str(public)).code == 0


def test_every_bit_of_the_last_of_a_base64_text_counts(
    bundle: Path, public: Path, finewright: Finewright
) -> None:
    """Four of its bits decode to nothing, so that another text is the same signature."""
    path = bundle / "model.sig"
    text = path.read_text()
    signature = json.loads(text)["dsseEnvelope"]["signatures"][0]["sig"]
    stem, tail = signature.rstrip("="), signature[len(signature.rstrip("=")) :]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for letter in alphabet if tail else ():
        other = f"{stem[:-1]}{letter}{tail}"
        same = base64.b64decode(other) == base64.b64decode(signature)
        if same and other != signature:
            path.write_text(text.replace(signature, other))
            assert finewright("verify", "bundle", "--key", str(public)).code == 2


@pytest.mark.parametrize("name", [".gitignore", "model/more.txt"])
def test_a_file_too_many_is_named(bundle: Path, name: str, finewright: Finewright) -> None:
    (bundle / name).write_text("more")
    found = finewright("verify", "bundle")
    assert found.code == 2
    assert f"error: {name}: one file too many" in found.out


def test_a_file_that_is_missing_or_a_link_is_named(bundle: Path, finewright: Finewright) -> None:
    kept = (bundle / "bom.cdx.json").rename(bundle.parent / "kept.json")
    found = finewright("verify", "bundle")
    assert found.code == 2
    assert "error: bom.cdx.json: missing" in found.out
    (bundle / "bom.cdx.json").symlink_to(kept)
    assert "bom.cdx.json: is a link, and no file" in finewright("verify", "bundle").out
    (bundle / "model.sig").unlink()
    found = finewright("verify", "bundle", "--key", "release.pub")
    assert (found.code, "error: model.sig: missing" in found.out) == (2, True)


def test_another_key_is_said_in_one_line(bundle: Path, finewright: Finewright) -> None:
    key_pair(bundle.parent, "other")
    found = finewright("verify", "bundle", "--key", "other.pub")
    assert found.code == 2
    assert "model.sig: is not signed by other.pub: Key mismatch" in found.out
    for wrong in ("policy.yaml", "none.pub", "other.pem"):
        found = finewright("verify", "bundle", "--key", wrong)
        assert (found.code, found.err.count("error: "), found.out) == (2, 1, "")
        assert wrong in found.err


def certificate(
    key: ec.EllipticCurvePrivateKey,
    name: str,
    *,
    issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None,
    days: int = 1,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    is_root = issuer is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(*(True, *[False] * 4, is_root, False, False, False)), critical=True
        )
    )
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256())


def write_certificate(made: x509.Certificate, path: Path) -> None:
    path.write_bytes(made.public_bytes(Encoding.PEM))


def test_a_certificate_stands_for_a_key_as_long_as_it_holds(
    run: Path, finewright: Finewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run.parent
    top, own = key_pair(folder, "top"), key_pair(folder, "own")
    root = certificate(top, "Acme", days=9)
    write_certificate(root, folder / "root.crt")
    write_certificate(certificate(own, "releases of Acme", issuer=(root, top)), folder / "own.crt")
    by_own = ("release", "run", "--policy", "policy.yaml", "--key", "own.pem")
    assert finewright(*by_own, "--certificate", "own.crt", "--out", "certified").code == 0
    assert finewright("verify", "certified", "--key", "root.crt").code == 0
    stranger = certificate(key_pair(folder, "stranger"), "Acme", days=9)
    write_certificate(stranger, folder / "stranger.crt")
    assert finewright("verify", "certified", "--key", "stranger.crt").code == 2

    later = datetime.now(UTC) + timedelta(days=2)
    monkeypatch.setattr(
        "finewright_trust.release.signing.datetime", type("Later", (), {"now": lambda _: later})
    )
    found = finewright("verify", "certified", "--key", "root.crt")
    assert found.code == 2
    assert "the certificate of CN=releases of Acme expired on" in found.out
    refused = finewright(*by_own, "--certificate", "own.crt", "--out", "late")
    assert (refused.code, refused.out, refused.err.count("error: ")) == (2, "", 1)
    assert "own.crt: the certificate of CN=releases of Acme expired on" in refused.err
    assert not (folder / "late").exists()


def test_keys_that_cannot_sign_leave_nothing_behind(run: Path, finewright: Finewright) -> None:
    before = sorted(run.parent.rglob("*"))
    for wrong in ("policy.yaml", "none.pem"):
        found = finewright(
            "release", "run", "--policy", "policy.yaml", "--key", wrong, "--out", "b"
        )
        assert (found.code, found.out, found.err.count("error: ")) == (2, "", 1)
        assert wrong in found.err
    assert sorted(run.parent.rglob("*")) == before


def test_a_dossier_goes_with_it_as_pages_and_as_a_pdf(run: Path, finewright: Finewright) -> None:
    assert finewright("comply", "run").code == 0
    released = finewright("release", "run", "--policy", "policy.yaml", "--out", "bundle")
    assert released.code == 0, released.err
    dossier = run.parent / "bundle" / "run" / "comply"
    assert (dossier / "dossier.pdf").read_bytes().startswith(b"%PDF-")
    assert (dossier / "index.html").is_file()
