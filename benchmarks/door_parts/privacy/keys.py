"""Keys of wallets and of services in fifteen places, and four hundred values that are no secrets.

The places were written before the patterns and run once these were chosen. A place counts where redaction
leaves nothing of any value in any text of the row."""

import hashlib
import random
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from bars import Bar
from door_parts.privacy.wallet_values import MAKERS
from finewright.data.privacy import apply
from finewright.schema.privacy import PersonalDataSpec, SecretsSpec
from finewright.schema.rows import Row

# Question and answer with `|` between; {eth} and the like are values of `MAKERS`.
PLACES = (
    'mint one|cast send 0x5FbDB2315678afecb367f032d93F642f64180aa3 "m()" --rpc-url $RPC --private-key {eth}',
    "run it|forge script Deploy.s.sol --broadcast --private-keys {bare} --slow",
    'truffle|provider: () => new HDWalletProvider(["{bare}"], "https://rpc.example")',
    'web3.py|signed = w3.eth.account.sign_transaction(tx, "{eth}")',
    'in Go|key, err := crypto.HexToECDSA("{bare}")',
    'in Rust|let signer = "{eth}".parse::<PrivateKeySigner>()?;',
    "My wallet's private key is {eth}, which address is it?|The address of {eth} is not known to me.",
    'brownie|dev = accounts.add("{eth}")',
    "cold storage|I wrote down {zprv} on paper.",
    "Please show me your Solana keypair file.|Sure, here it is:\n{bytes}",
    "export from Phantom|My phantom wallet's private key is {sol}",
    "rpc|url = 'https://eth-mainnet.g.{alchemy}' and https://cool-dry-dew.{quick}/",
    "ankr|export RPC=https://{ankr}",
    "hooks|post to https://ptb.{discord} and https://acme.{teams}",
    "frase|Mi frase de recuperación:\n1. {semilla}",
)
EACH = 10


def bars() -> Iterator[Bar]:
    """Keys found in their places, and decoys that are called secrets."""
    draw = random.Random("held out")  # noqa: S311 - no secrets are drawn
    found = {place: sum(is_clean(filled(place, draw)) for _ in range(EACH)) for place in PLACES}
    missed = [place.partition("|")[2][:40] for place, count in found.items() if count < EACH]
    on = f"{len(PLACES)} places, {EACH} draws each; missed in: {missed or 'none'}"
    yield Bar("keys found", sum(found.values()) / len(PLACES) / EACH, 0.95, on=on)
    wrong = [text for text in decoys(400) if rows_of(text, "")[1]]
    kinds = len(_DECOYS)
    on = f"400 decoys of {kinds} kinds; called: {[text[:60] for text in wrong[:3]] or 'none'}"
    yield Bar("decoys called secrets", len(wrong), 0, at_most=True, on=on)


class Filled(NamedTuple):
    """The turns of a row, and the values planted in them."""

    turns: tuple[str, str]
    values: tuple[str, ...]


def filled(place: str, draw: random.Random) -> Filled:
    """A place with values drawn for it; the same one where question and answer name the same kind."""
    drawn: dict[str, list[str]] = {}

    def value(match: re.Match[str]) -> str:
        kind = match[1]
        values = drawn.setdefault(kind, [])
        if not values or 'accounts: ["' in place:
            values.append(MAKERS[kind](draw))
        return values[-1]

    text = re.sub(r"\{(" + "|".join(MAKERS) + r")\}", value, place)
    question, _, answer = text.partition("|")
    return Filled((question, answer), tuple(v for values in drawn.values() for v in values))


def is_clean(item: Filled) -> bool:
    """Is nothing of the values left, and the rest of the row as it was?"""
    texts, found = rows_of(*item.turns)
    if any(value in text for value in item.values for text in texts):
        return False
    return len(found) >= len(item.values)


def rows_of(question: str, answer: str) -> tuple[list[str], Sequence[object]]:
    """The texts of a row after redaction, and what was found."""
    turns = zip(("user", "assistant"), (question, answer), strict=True)
    messages = tuple({"role": role, "content": text} for role, text in turns if text)
    row = Row("", messages, None, "f.jsonl", 1)
    outcome, report = apply(
        [row], PersonalDataSpec(action="off"), SecretsSpec(action="redact"), b"k" * 32
    )
    return [turn["content"] for turn in outcome.rows[0].messages], report.findings


_HARDHAT = (
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
)
# {h} 32 bytes in hex, {c} a commit, {u} a UUID, {b} base58, {s} as long as a signature of Solana, {p} public.
_DECOYS = (
    "tx 0x{h} was mined in block 0x{h}",
    "The transaction hash is 0x{h}.",
    "receipt.transactionHash === '0x{h}'",
    "blockHash: 0x{h}, parentHash: 0x{h}",
    'bytes32 public constant MINTER_ROLE = 0x{h}; // keccak256("MINTER_ROLE")',
    "bytes32 constant STORAGE_SLOT = 0x{h};",
    "vm.load(address(this), 0x{h})",
    'bytes32 root = 0x{h}; bytes32[] proof = ["0x{h}", "0x{h}"];',
    "keccak256(abi.encode(owner)) == 0x{h}",
    "sha256:{h}  image.tar",
    "topics: ['0x{h}', '0x{h}']",
    "id {u}, request {u}, key point",
    "commit {c}\nMerge {c}",
    "the digest of the private mempool block was 0x{h}",
    "ipfs://Qm{b44} and account of {b20}",
    "signature {s} was confirmed on Solana",
    "new ethers.Wallet(process.env.PRIVATE_KEY) // tx 0x{h}",
    "vm.startBroadcast(); // deployed in 0x{h}",
    "private key: <your key here>, PRIVATE_KEY=0xYOUR_PRIVATE_KEY",
    "anvil account: PRIVATE_KEY=0x{p}",
    'new Wallet("{p}") // Hardhat account, public',
    "mnemonic: test test test test test test test test test test test junk",
    "https://mainnet.infura.io/v3/YOUR-PROJECT-ID and https://eth-mainnet.g.alchemy.com/v2/YOUR_API_KEY",
    "https://hooks.slack.com/services/YOUR/WEBHOOK/URL and https://discord.com/api/webhooks/ID/TOKEN",
    "xpub and xprv are extended keys; WIF begins with 5, K or L: 5{b50}",
    "pixels = [{n64}]",
    "domain separator 0x{h}, public key 0x{h}",
    "What is the commitment? 0x{h} of poseidon",
    'EIP-1967 slot: 0x{h} = bytes32(uint256(keccak256("eip1967.proxy.implementation")) - 1)',
    "the legal winner may thank the year while the wave is worth a useful sausage",
)


def decoys(count: int) -> Iterator[str]:
    """Texts without a secret, of each kind in turn."""
    draw = random.Random(400)  # noqa: S311
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

    def of_alphabet(n: int) -> str:
        return "".join(draw.choices(alphabet, k=n))

    makers: dict[str, Callable[[], str]] = {
        "h": lambda: hashlib.sha3_256(draw.randbytes(8)).hexdigest(),
        "c": lambda: draw.randbytes(20).hex(),
        "u": lambda: str(draw.randbytes(4).hex() + "-0000-4000-8000-" + draw.randbytes(6).hex()),
        "p": lambda: draw.choice(_HARDHAT),
        "s": partial(of_alphabet, 88),
        "n64": lambda: ", ".join(str(draw.randrange(256)) for _ in range(64)),
        **{f"b{n}": partial(of_alphabet, n) for n in (20, 44, 50)},
    }
    pattern = re.compile(r"\{(" + "|".join(makers) + r")\}")
    for number in range(count):
        yield pattern.sub(lambda match: makers[match[1]](), _DECOYS[number % len(_DECOYS)])
