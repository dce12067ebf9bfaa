"""Values drawn as wallets and services make them, by the hands of reference libraries."""

import base64
import hashlib
import random
import uuid
from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from mnemonic import Mnemonic

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58(data: bytes) -> str:
    """The plain algorithm of the Bitcoin wiki."""
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = _BASE58[rest] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def checked(data: bytes) -> str:
    """base58check."""
    return base58(data + hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4])


def pair(draw: random.Random) -> bytes:
    """A Solana key pair: seed and public key."""
    seed = draw.randbytes(32)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return seed + public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _word(draw: random.Random, size: int, alphabet: str = _BASE58) -> str:
    return "".join(draw.choices(alphabet, k=size))


def _url64(draw: random.Random, size: int) -> str:
    return base64.urlsafe_b64encode(draw.randbytes(size)).decode()


def _id(draw: random.Random) -> str:
    return str(uuid.UUID(bytes=draw.randbytes(16), version=4))


def _extended(version: int, draw: random.Random) -> str:
    data = version.to_bytes(4, "big") + b"\3" + draw.randbytes(40) + b"\0" + draw.randbytes(32)
    return checked(data)


def _phrase(language: str, size: int, draw: random.Random) -> str:
    return str(Mnemonic(language).to_mnemonic(draw.randbytes(size)))


def _numbered(words: str) -> str:
    return "\n".join(f"{i}. {word}" for i, word in enumerate(words.split(), 1))[3:]


MAKERS: Mapping[str, Callable[[random.Random], str]] = {
    "eth": lambda d: "0x" + d.randbytes(32).hex(),
    "bare": lambda d: d.randbytes(32).hex(),
    "wif": lambda d: checked(b"\x80" + d.randbytes(32) + d.choice([b"", b"\1"])),
    "xprv": lambda d: _extended(0x0488ADE4, d),
    "zprv": lambda d: _extended(0x04B2430C, d),
    "sol": lambda d: base58(pair(d)),
    "bytes": lambda d: "[" + d.choice([",", ", "]).join(map(str, pair(d))) + "]",
    "seed": lambda d: _phrase("english", d.choice([16, 32]), d),
    "quoted": lambda d: '", "'.join(_phrase("english", 16, d).split()),
    "semilla": lambda d: _numbered(_phrase("spanish", 16, d)),
    "infura": lambda d: f"infura.io/v3/{d.randbytes(16).hex()}",
    "alchemy": lambda d: f"alchemy.com/v2/{_url64(d, 24)}",
    "quick": lambda d: f"quiknode.pro/{d.randbytes(20).hex()}",
    "ankr": lambda d: f"rpc.ankr.com/eth/{d.randbytes(32).hex()}",
    "slack": lambda d: (
        f"hooks.slack.com/services/T{_word(d, 8).upper()}/B{_word(d, 8).upper()}/{_word(d, 24)}"
    ),
    "discord": lambda d: f"discord.com/api/webhooks/{d.randrange(10**18, 10**19)}/{_url64(d, 51)}",
    "teams": lambda d: (
        f"webhook.office.com/webhookb2/{_id(d)}@{_id(d)}/IncomingWebhook/{d.randbytes(16).hex()}/{_id(d)}"
    ),
    "bot": lambda d: f"{d.randrange(10**9, 10**10)}:AA{_url64(d, 25)[:33]}",
}
