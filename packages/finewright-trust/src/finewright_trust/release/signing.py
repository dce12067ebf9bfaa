"""Signatures of bundles: OpenSSF's model-signing over every file, by a key or by a certificate of a company.

It takes keys on curves of NIST, so that the user's own lies beside the one that signs runs (Ed25519), made at
first use. The statement of provenance is signed by that one, in a DSSE envelope."""

import base64
import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from finewright import trust
from finewright.errors import DataError, StoreError
from finewright.schema.common import Problem
from finewright.store.atomic import os_errors, sha256_file, write_bytes
from finewright.store.signing import Signature, is_signed, sign

SIGNATURE = "model.sig"
CERTIFICATES = "certificates.pem"
"""Those of the signature once more: it does not cover the ones that no check of it comes to."""
_OWN = "release.pem"
_OWN_PUBLIC = "release.pub"
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_MAKE_ONE = "openssl ecparam -name prime256v1 -genkey -noout -out release.pem makes a key"


class SigningKey(NamedTuple):
    """A private key in a file, and the certificates that say whose it is, the key's own first. `public` is
    what whoever checks a bundle is given."""

    private: Path
    public: Path
    chain: Sequence[Path] = ()


def find_key(private: Path | None, chain: Sequence[Path]) -> SigningKey:
    """The key that was given, or the user's own, which is made where there is none.

    Raises DataError for a file that is no such key, and for a certificate that does not hold today."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    path = private or _own_key()
    for certificate in chain:
        _require_valid(certificate)
    try:
        with os_errors(path):
            key = load_pem_private_key(path.read_bytes(), password=None)
        public = _public_pem(key.public_key())
    except (ValueError, TypeError, AttributeError):
        raise DataError(
            f"{path}: is no private key in PEM without a password", hint=_MAKE_ONE
        ) from None
    if chain or private:
        return SigningKey(path, chain[0] if chain else path.with_suffix(".pub"), chain)
    own = trust.own_file(_OWN_PUBLIC)
    if not own.is_file() or own.read_bytes() != public:
        write_bytes(own, public)
    return SigningKey(path, own)


def own_public_key() -> Path:
    """Where this user's own public key is. Raises DataError where none was made yet."""
    path = trust.own_file(_OWN_PUBLIC)
    if not path.is_file():
        hint = "the maker of the bundle has it; ask for it in another way than that of the bundle"
        raise DataError("give the public key that the bundle is held against: --key PUB", hint=hint)
    return path


def sign_folder(folder: Path, key: SigningKey) -> None:
    """Write the signature of every file of the folder into it. Raises DataError for a key or a certificate
    that model-signing does not take."""
    from model_signing import signing

    path = folder / SIGNATURE
    if key.chain:
        issuers = key.chain[1:] or key.chain  # the library wants one at least
        (folder / CERTIFICATES).write_bytes(b"".join(map(_read, (key.chain[0], *issuers))))
    config: Any = signing.Config()  # type: ignore[no-untyped-call]
    config.set_hashing_config(_hashing())
    try:
        if key.chain:
            config.use_certificate_signer(
                private_key=key.private,
                signing_certificate=key.chain[0],
                certificate_chain=issuers,
            )
        else:
            config.use_elliptic_key_signer(private_key=key.private)
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{key.private}: cannot sign a bundle: {error}", hint=_MAKE_ONE) from None
    config.sign(folder, path)


def faults_of_signature(folder: Path, public: Path) -> list[Problem]:
    """What is wrong with the folder by its signature, held against a public key or the certificate of who
    issued the signer's: a line for each file. Raises DataError for a file that is no key, and for a
    certificate that does not hold today.

    model-signing checks a certificate for the day from which it holds; ours has to hold today as well."""
    from cryptography.exceptions import InvalidSignature
    from model_signing import verifying

    path = folder / SIGNATURE
    config: Any = verifying.Config()  # type: ignore[no-untyped-call]
    config.set_hashing_config(_hashing())
    try:
        if b"BEGIN CERTIFICATE" in _read(public):
            _require_valid(public)
            config.use_certificate_verifier(certificate_chain=[public])
        else:
            config.use_elliptic_key_verifier(public_key=public)
    except (ValueError, TypeError, AttributeError):
        hint = "give the maker's: --key PUB"
        raise DataError(f"{public}: is no public key or certificate in PEM", hint=hint) from None
    if wrong := _fault_of_form(path):
        return [fault(SIGNATURE, wrong)]
    try:
        config.verify(folder, path)
    except InvalidSignature:
        return [fault(SIGNATURE, f"is not what the key {public} signed")]
    except Exception as error:  # the library raises what its parts raise, such as OpenSSL's errors
        text = " ".join(str(error).split()).rstrip(". ") or type(error).__name__
        if not text.startswith("Signature mismatch"):
            return [fault(SIGNATURE, f"is not signed by {public}: {text}")]
        return list(_differences(folder, json.loads(_read(path))))
    return []


def _differences(
    folder: Path, signature: Any
) -> Iterator[Problem]:  # Any: JSON, which was verified
    payload = json.loads(base64.b64decode(signature["dsseEnvelope"]["payload"]))
    signed = {each["name"]: each["digest"] for each in payload["predicate"]["resources"]}
    for name in sorted({*signed, *list_files(folder)} - {SIGNATURE}):
        path = folder / name
        if name not in signed:
            yield fault(name, "one file too many: nobody signed it")
        elif not path.is_file():
            yield fault(name, "missing")
        elif sha256_file(path) != signed[name]:
            yield fault(name, "changed since it was signed")


def list_files(folder: Path) -> Iterator[str]:
    """Every file and link below a folder, by its path from there."""
    with os_errors(folder):
        for root, folders, files in os.walk(folder):
            links = [name for name in folders if Path(root, name).is_symlink()]
            yield from (
                Path(root, name).relative_to(folder).as_posix() for name in (*files, *links)
            )


def fault(file: str, message: str) -> Problem:
    """What is wrong with a file of a bundle."""
    hint = "take the bundle from its maker once more"
    return Problem(level="error", file=file, message=message, hint=hint)


def seal_statement(statement: object) -> bytes:
    """The statement in a DSSE envelope (secure-systems-lab/dsse 1.0.2), signed by the key that signs this
    user's runs. Raises StoreError where none can be kept."""
    payload = json.dumps(statement, indent=1).encode()
    signature = sign(_encode(payload))
    if signature is None:
        hint = "set XDG_CONFIG_HOME to a folder of your own"
        raise StoreError(
            "no key of yours can be kept here, so that nothing can be signed", hint=hint
        )
    named = {"keyid": signature.key, "sig": _base64(bytes.fromhex(signature.value))}
    envelope = {"payload": _base64(payload), "payloadType": _PAYLOAD_TYPE, "signatures": [named]}
    return json.dumps(envelope, indent=1).encode()


def signer_of_statement(content: bytes) -> str:
    """The key that an envelope is signed by; empty where it is not what that key signed, or no envelope."""
    try:
        envelope = json.loads(content)
        named = envelope["signatures"][0]
        value = base64.b64decode(named["sig"], validate=True).hex()
        signature = Signature(key=named["keyid"], value=value)
        payload = base64.b64decode(envelope["payload"], validate=True)
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
    return signature.key if is_signed(_encode(payload), signature) else ""


def _hashing() -> Any:  # Any: of a library that is loaded late
    from model_signing import hashing

    # Its usual way passes over .git* files, so that one too many would not be seen.
    config: Any = hashing.Config()  # type: ignore[no-untyped-call]
    return config.set_ignored_paths(paths=[Path(SIGNATURE)], ignore_git_paths=False)


def _fault_of_form(path: Path) -> str:
    """What the signature does not cover itself: the bytes of its file, and its certificates' day."""
    from cryptography import x509
    from model_signing._signing.sign_sigstore_pb import Signature as Stored

    try:
        stored = Stored.read(path).bundle
    except Exception:  # whatever its parsers raise
        return "damaged: it is no signature of model-signing"
    if stored.to_json().encode() != path.read_bytes():
        return "changed since it was written"
    chain = stored.verification_material.x509_certificate_chain
    found = (
        [x509.load_der_x509_certificate(each.raw_bytes) for each in chain.certificates]
        if chain
        else []
    )
    if found and found != x509.load_pem_x509_certificates(_read(path.with_name(CERTIFICATES))):
        return f"its certificates are not those of {CERTIFICATES}"
    return next((wrong for each in found if (wrong := _fault_of_day(each))), "")


def _require_valid(path: Path) -> None:
    from cryptography import x509

    try:
        certificates = x509.load_pem_x509_certificates(_read(path))
    except ValueError:
        raise DataError(f"{path}: holds no certificate in PEM") from None
    for each in certificates:
        if wrong := _fault_of_day(each):
            raise DataError(f"{path}: {wrong}", hint="have it issued anew")


def _fault_of_day(certificate: Any) -> str:  # Any: of a library that is loaded late
    day = certificate.not_valid_after_utc
    name = certificate.subject.rfc4514_string()
    return f"the certificate of {name} expired on {day:%Y-%m-%d}" if datetime.now(UTC) > day else ""


def _own_key() -> Path:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path = trust.own_file(_OWN)
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        trust.write_own_file(path, pem, is_new=True)
    return path


def _public_pem(key: Any) -> bytes:  # Any: of a library that is loaded late
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def _read(path: Path) -> bytes:
    with os_errors(path):
        return path.read_bytes()


def _encode(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (
        len(_PAYLOAD_TYPE),
        _PAYLOAD_TYPE.encode(),
        len(payload),
        payload,
    )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
