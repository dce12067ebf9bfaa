"""Keys and tokens that their issuers gave a form: the rules of `catalog/tokens.yaml`, AWS secrets, PEM keys.

Each rule has texts one of which must be there before its pattern is tried. A checksum makes a match certain
and its absence does not undo one (a token with a slip in it is still a token) unless the rule says so. Not
covered: whether a token is still valid."""

import base64
import binascii
import json
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from finewright.catalog.tokens import Choice, Run, TokenRule, token_rules
from finewright.guard.privacy.encodings import base58check_payload, bech32_read
from finewright.guard.privacy.scan import (
    Needles,
    PersonalSpan,
    Recogniser,
    Scan,
    Sign,
    recogniser,
)


class _Shape(NamedTuple):
    rule: TokenRule
    pattern: re.Pattern[str]


_LEAST_BITS = 3.0
_MOST_NEEDLES = 12
_LONG_ENOUGH = 3
_CHECK_CHARACTERS = 6
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def bits_per_character(text: str) -> float:
    """Shannon entropy of the characters of a text."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)


def is_random(text: str, least_bits: float = _LEAST_BITS) -> bool:
    """Letters and digits mixed as no word is: not `sk-fading-circle`, not `xxxxxxxx`."""
    return (
        any(c.isdigit() for c in text)
        and any(c.isalpha() for c in text)
        and bits_per_character(text) >= least_bits
    )


def is_varied(text: str, least_bits: float = _LEAST_BITS) -> bool:
    """Not one word in one case: the looser judgement, for what has its issuer's mark."""
    has_cases = any(c.islower() for c in text[6:]) and any(c.isupper() for c in text[6:])
    is_mixed = has_cases or any(c.isdigit() for c in text)
    return is_mixed and bits_per_character(text) >= least_bits


def is_jwt(token: str) -> bool:
    """Whether the first part is JSON with an algorithm (RFC 7519)."""
    header = _decode_part(token.partition(".")[0])
    try:
        data = json.loads(header)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and "alg" in data


def _is_discord(token: str) -> bool:
    return _decode_part(token.partition(".")[0]).isdigit()


def _decode_part(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (ValueError, binascii.Error):
        return b""


def recognisers() -> tuple[Recogniser, ...]:
    """Keys and tokens by their shape, AWS secrets, and PEM private keys."""
    return (
        Recogniser(frozenset(rule.type for rule in token_rules().rules), recognise, sign=Sign.RUN),
        recogniser(aws_secret, "cloud_key", sign=Sign.RUN),
        recogniser(private_key, "private_key", sign=Sign.RUN),
    )


def recognise(scan: Scan) -> Iterator[PersonalSpan]:
    """Tokens by their shape."""
    for rule, pattern in _near(scan.bytes):
        for match in pattern.finditer(scan.text):
            start, end = match.span(1)
            before = scan.text[start - 1 : start]
            # A word that is no ASCII, as Chinese is, may end right before it.
            if before.isascii() and before.isalnum() and not rule.after:
                continue
            if _is_certain(rule, match[1]):
                yield PersonalSpan(start, end, rule.type, 1.0, f"{rule.name}, checksum fits")
            elif not _is_masked(match[1]) and _judge(rule, match[1]):
                yield PersonalSpan(start, end, rule.type, 0.97, rule.name)


def _near(text: bytes) -> Iterator[_Shape]:
    """The shapes that the text may have, for it has one of their needles."""
    shapes, needles = _shapes()
    found, place = needles.bits_in(text), 0
    while found >> place:
        if found >> place & 1:
            yield shapes[place]
        place += 1


@cache
def _shapes() -> tuple[tuple[_Shape, ...], Needles]:
    """The catalog's rules, ready to search: a bit for each of them."""
    rules = token_rules()
    shapes = tuple(_Shape(rule, pattern_of(rule)) for rule in rules.rules)
    pairs = [
        (needle.encode(), 1 << place)
        for place, rule in enumerate(rules.rules)
        for needle in ((rule.after,) if rule.after else _needles(rules.parts(rule)))
    ]
    return shapes, Needles(pairs)


def pattern_of(rule: TokenRule) -> re.Pattern[str]:
    """What finds the rule's values, each as the first group."""
    parts = token_rules().parts(rule)
    pattern = f"(?<={re.escape(rule.after)})" if rule.after else ""
    pattern += f"({''.join(map(_pattern_of, parts))})"
    last = parts[-1]
    if isinstance(last, Run) and last.most is not None:
        # One that goes on is longer than the issuer makes them.
        pattern += "(?![A-Za-z0-9])"
    return re.compile(_once_a_word(parts) + pattern)


def _pattern_of(part: Run | Choice) -> str:
    if isinstance(part, Choice):
        return f"(?:{'|'.join(map(re.escape, part.texts))})"
    return f"[{part.alphabet}]{{{part.least},{'' if part.most is None else part.most}}}"


def _once_a_word(parts: Sequence[Run | Choice]) -> str:
    """Before a form that goes on after a run without limit: its search begins at a word's first character
    alone, and only where the rest is there. Begun wherever the form may begin, it reads a word as often."""
    match parts:
        case [Choice(texts), Run(alphabet, _, None), Choice(ends), *more]:
            is_within = re.fullmatch(f"[{alphabet}]+", "".join(texts))
            is_ended = not any(re.match(f"[{alphabet}]|$", end) for end in ends)
            if is_within and is_ended:
                follows = "".join(map(_pattern_of, [parts[2], *more]))
                return f"(?<![{alphabet}])(?=[{alphabet}]++{follows})[{alphabet}]*?(?<![A-Za-z0-9])"
    return ""


def _needles(parts: Sequence[Run | Choice]) -> tuple[str, ...]:
    """The texts one of which every match has: of the stretches without a run, the one with the longest."""
    literal = [part.texts[0] for part in parts if isinstance(part, Choice) and len(part.texts) == 1]
    plain = max(literal, key=len, default="")
    return (plain,) if len(plain) >= _LONG_ENOUGH else _join_needles(parts)


def _join_needles(parts: Sequence[Run | Choice]) -> tuple[str, ...]:
    best: tuple[str, ...] = ("",)
    texts: tuple[str, ...] = ("",)
    for part in parts:
        if isinstance(part, Run):
            texts = ("",)
            continue
        longer = tuple(text + more for text in texts for more in part.texts)
        texts = longer if len(longer) <= _MOST_NEEDLES else part.texts
        if min(map(len, texts)) > min(map(len, best)):
            best = texts
    return best


def _is_masked(token: str) -> bool:
    """Whether half of it or more is one character again and again."""
    return 2 * sum(len(mask[0]) for mask in _MASK.finditer(token)) >= len(token)


def _judge(rule: TokenRule, token: str) -> bool:
    match rule.judge:
        case "checksum":
            return False
        case "varied":
            return is_varied(token, rule.entropy)
        case "random":
            return is_random(token, rule.entropy)
        case "jwt":
            return is_jwt(token)
        case "discord":
            return _is_discord(token)
    return True


def _is_certain(rule: TokenRule, token: str) -> bool:
    """Whether it has the checksum that its issuer puts at the end."""
    match rule.checksum:
        case "crc32_base62":
            return _has_crc32(token)
        case "base58check":
            return base58check_payload(token) is not None
        case "bech32":
            return bech32_read(token) is not None
    return False


def _has_crc32(token: str) -> bool:
    """CRC-32 of what precedes, in base 62."""
    body, check = token[:-_CHECK_CHARACTERS], token[-_CHECK_CHARACTERS:]
    number = zlib.crc32(body.rpartition("_")[2].encode())
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    return check == digits.rjust(_CHECK_CHARACTERS, "0")


# XXXXXXXX, 00000000: what manuals write in the place of a key.
_MASK = re.compile(r"([A-Za-z0-9])\1{7,}")
_AWS_ID = re.compile(r"(?<![A-Za-z0-9])A[KS]IA[A-Z2-7]{16}(?![A-Za-z0-9])")
_AWS_SECRET = re.compile(r"(?<![A-Za-z0-9/+=_-])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=_-])")
_AWS_REACH = 200
# 40 random characters of base64 have 4.7 bits each; words and paths of that length have fewer.
_AWS_BITS = 4.2


def aws_secret(scan: Scan) -> Iterator[PersonalSpan]:
    """The secret access key near an AWS access key id: 40 characters of base64 that no word or digest is.

    Alone such a text could be anything, and is not found."""
    if "KIA" not in scan.text and "SIA" not in scan.text:
        return
    places = [match.span() for match in _AWS_ID.finditer(scan.text)]
    for match in _AWS_SECRET.finditer(scan.text) if places else ():
        start, end = match.span()
        is_near = any(
            start - last < _AWS_REACH and first - end < _AWS_REACH for first, last in places
        )
        if is_near and _is_mixed(match[0]) and bits_per_character(match[0]) >= _AWS_BITS:
            yield PersonalSpan(start, end, "cloud_key", 0.95, "beside an AWS access key id")


def _is_mixed(value: str) -> bool:
    kinds = (str.isdigit, str.islower, str.isupper)
    return all(any(map(is_of, value)) for is_of in kinds)


_BEGIN = "-----BEGIN "
_HEAD = re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/=]{24,}")


def private_key(scan: Scan) -> Iterator[PersonalSpan]:
    """PEM private keys, whole or cut off; a header without key material is none."""
    if _BEGIN not in scan.text:
        return
    for head in _HEAD.finditer(scan.text):
        following = _HEAD.search(scan.text, head.end())
        stop = following.start() if following else len(scan.text)
        end = _END.search(scan.text, head.end(), stop)
        stop = end.start() if end else stop
        last = end.end() if end else _last_of_body(scan.text, head.end(), stop)
        if last and _BASE64_RUN.search(scan.text, head.end(), stop):
            yield PersonalSpan(head.start(), last, "private_key", 1.0, "a PEM private key")


def _last_of_body(text: str, start: int, stop: int) -> int:
    """The end of the base64 lines of a key that has no last line; 0 if there are none."""
    last = 0
    for run in re.finditer(r"(?:\s|\\n|\\r)*[A-Za-z0-9+/=]{24,}", text[start:stop]):
        if last and start + run.start() > last:
            break
        last = start + run.end()
    return last
