"""Private keys of wallets without a form of their own: Ethereum's by what stands around, Solana's by proof.

A private key of Ethereum is 32 bytes, and so is every hash: it counts only where a name, a call, an option
or a question calls it a private key. One of Solana is a seed and its public key, in base58 or as a list of
64 bytes: that they belong together proves it; where they do not, words must call it so, for signatures have
the same size. The accounts that Hardhat, Anvil and Ganache print for everybody are no secrets (`published` in
`catalog/tokens.yaml`). Not covered: half a key, a key as a decimal number."""

import re
from collections.abc import Iterator

from finewright.catalog.tokens import read_published
from finewright.guard.privacy.encodings import base58_bytes, is_ed25519_pair
from finewright.guard.privacy.scan import PersonalSpan, Recogniser, Scan, Sign, recogniser

_HEX_64 = re.compile(r"(?<![0-9A-Za-z_])(?:0[xX])?[0-9a-fA-F]{64}(?![0-9A-Za-z_])")
_CALLED = re.compile(
    r"priv(?:ate)?[\s_-]?keys?|secret[\s_-]?key|signing[\s_-]?key|wallet[\s_-]?key|\bpk\b"
    r"|privat\w{0,3} (?:schl[üu]ssel|key|sleutel|nøkkel)|privésleutel|cl[ée]s? priv[ée]e"
    r"|(?:clave|llave|chave) privada|chiave privata|klucz prywatny|(?:приватн|закрыт|секретн)\w+ ключ"
    r"|私钥|私鑰|秘密鍵|개인 ?키"
    r"|(?:wallet|account|my|your|his|her|our|their)(?:['\u2019]s)? keys?\b|import (?:this|my|the|that|a) key"
    r"|\bkey (?:to|of|for) (?:my|your|the|this|that|his|her|our) (?:\w+ )?(?:wallet|account)"
)
_HASHED = re.compile(
    r"hash|digest|root|\btx|transaction|keccak|topic|selector|salt|slot|block|sha256|checksum|signature|public"
    r"|\bsign(?:ed|s)\b(?! with| by| using)"
)
# What is hashed is the text of these words: keccak256("private key").
_HASHING = re.compile(r"(?:keccak\w*|sha\w*|md5|hash\w*|digest|id)\s?\(\s?[\"'`][\w. ]{0,30}$")
_OWNER = (
    r"(?:deployer|owner|admin|signer|signing|relayer|operator|sender|minter|keeper|validator|sequencer|proposer"
    r"|batcher|challenger|wallet|account|eth|ethereum|evm|funder|faucet|executor|guardian|oracle|attacker|user"
    r"|alice|bob|carol|dev|bot|hot|mainnet|sepolia|holesky|goerli|polygon|bsc|arbitrum|optimism|base|anvil|treasury)"
)
_OPENS = r"[\s\[({\"'`-]*"
# What stands directly in front: a call that takes a key, a name it is assigned to, an option, a list of keys.
_DIRECT = re.compile(
    r"(?:wallet|signing_?key|startbroadcast|vm\.broadcast|from_?key|from_?private_?key|vm\.(?:sign|addr|rememberkey)"
    r"|hextoecdsa|credentials\.create|privatekeyto\w+|hdwalletprovider|accounts?(?:\.wallet)?\.add|keyfromprivate"
    rf"|privkeytoaddr\w*|localwallet|newkeyed\w+|fromsecretkey|eckey|account)(?:\.new)?\({_OPENS}$"
    r"|sign_?(?:transaction|message|typed_?data|hash)\([\w.{}\[\]\s]*,\s*(?:\w+\s*=\s*)?[\"'`]?$"
    rf"|\baccounts\"?\s*[:=]\s*(?:[\w.]+ \? )?{_OPENS}$"
    rf"|(?:{_OWNER}[\s_.-]?)+\d*[\s_.-]?(?:pk|sk|key|secret)\d*[\"'`\]]*\s*(?:=>|:=|[=:|])\s*(?:\w+\()?{_OPENS}$"
    rf"|(?<![a-z])(?:\w+_)?[ps]k\d*[\"'`\]]*\s*(?:=>|:=|[=:|])\s*(?:\w+\()?{_OPENS}$"
    rf"|(?:signer|wallet|secret|deployer|localwallet|signing_?key)[\"'`]*\s*(?:=>|:=|[=:])\s*(?:\w+\s*=\s*)?{_OPENS}$"
    r"|cast wallet \w+(?: [\w-]+)*\s$"
    r"|--(?:private-keys?|pk|key|unlock)[\s=][\"']?$"
)
_AFTER = re.compile(
    r"[\"'`)\];,]*\s*\.parse::<\w*(?:wallet|signer|key)|[\"'`)\];,]*\s*(?:is|was|are|<-|←|#|//|--)\s[^.\n]{0,25}"
    r"(?:private|secret) key"
)
_NEXT_OF_LIST = re.compile(r"[\s\"'`,;()\[\]0-9.:#|-]{1,16}")
_REACH, _REACH_DIRECT, _REACH_LEAD = 60, 80, 120
# The order of secp256k1: a private key is smaller. Below 2**160 it is an address or a number that was padded.
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_LEAST = 2**160


def recognisers() -> tuple[Recogniser, ...]:
    """Private keys of Ethereum and Solana."""
    return (
        recogniser(ethereum_key, "ethereum_key", sign=Sign.PRIVATE),
        recogniser(solana_key, "wallet_key", sign=Sign.PRIVATE),
    )


def ethereum_key(scan: Scan) -> Iterator[PersonalSpan]:
    """64 hex digits that something calls a private key, and those that follow one in a list."""
    if not scan.has_longer_word:
        return
    last = None
    for match in _HEX_64.finditer(scan.text):
        start, end = match.span()
        is_next = last is not None and _NEXT_OF_LIST.fullmatch(scan.text, last, start) is not None
        if is_next or _is_private(scan, start, end):
            last = end
            if (
                _LEAST < int(match[0], 16) < _ORDER
                and match[0][-64:].lower() not in read_published()
            ):
                yield PersonalSpan(start, end, "ethereum_key", 0.95, "called a private key")


def _is_private(scan: Scan, start: int, end: int) -> bool:
    return (
        _is_called_private(scan.before(start, _REACH))
        or _DIRECT.search(scan.before(start, _REACH_DIRECT)) is not None
        or _AFTER.match(scan.after(end, _REACH)) is not None
        or (start < _REACH and _is_called_private(scan.leading(start, _REACH_LEAD)))
    )


def _is_called_private(before: str) -> bool:
    called = list(_CALLED.finditer(before))
    if not called or _HASHED.search(before, called[-1].end()):
        return False
    return not _HASHING.search(before[: called[-1].start()])


_BASE58_PAIR = re.compile(r"(?<![0-9A-Za-z])[1-9A-HJ-NP-Za-km-z]{86,88}(?![0-9A-Za-z])")
_BYTE_LIST = re.compile(
    r"\[\s*(?:[0-9]{1,3}\s*,\s*){31}(?:(?:[0-9]{1,3}\s*,\s*){32})?[0-9]{1,3}\s*,?\s*\]"
)
_SOLANA = re.compile(
    r"keypair|key pair|from_?(?:secret_?key|seed|bytes)|solana-keygen|id\.json|phantom|solflare"
)
_PAIR, _SEED, _BYTE_END = 64, 32, 256


def solana_key(scan: Scan) -> Iterator[PersonalSpan]:
    """Key pairs in base58 and as a list of bytes; a list of 32 is a seed where it is called so."""
    if scan.has_longer_word:
        for match in _BASE58_PAIR.finditer(scan.text):
            yield from _pair(scan, match, base58_bytes(match[0]) or b"")
    if scan.text.count(",") >= _SEED - 1:
        for match in _BYTE_LIST.finditer(scan.text):
            numbers = [int(number) for number in re.findall("[0-9]+", match[0])]
            if max(numbers) < _BYTE_END:
                yield from _pair(scan, match, bytes(numbers))


def _pair(scan: Scan, match: re.Match[str], data: bytes) -> Iterator[PersonalSpan]:
    start, end = match.span()
    if len(data) == _PAIR and is_ed25519_pair(data):
        yield PersonalSpan(start, end, "wallet_key", 1.0, "a seed with its public key")
    elif len(data) in (_SEED, _PAIR) and _is_called_pair(scan, start):
        yield PersonalSpan(start, end, "wallet_key", 0.9, "called a private key")


def _is_called_pair(scan: Scan, start: int) -> bool:
    before = scan.leading(start, _REACH_LEAD)
    called = [*_CALLED.finditer(before), *_SOLANA.finditer(before)]
    return bool(called) and not _HASHED.search(before, max(match.end() for match in called))
