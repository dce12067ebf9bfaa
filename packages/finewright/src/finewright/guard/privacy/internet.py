"""E-mail addresses, links and IP addresses.

Covered: addresses of RFC 5321's unquoted form, with letters of any script; links with a scheme or `www.`;
IPv4 and IPv6; addresses whose @ is spelled out in brackets ("[at]", "(at)", with "[dot]" or a dot). Not
covered: quoted local parts, domains alone, addresses that are spelled out without brackets.
Loopback, unspecified and network masks name nobody and are not found."""

import re
from collections.abc import Iterable, Iterator
from ipaddress import AddressValueError, IPv6Address

from finewright.guard.privacy.scan import (
    UNSPACED,
    PersonalSpan,
    Recogniser,
    Scan,
    Sign,
    is_glued,
    recogniser,
)
from finewright.guard.privacy.unspaced import host_end, link_end

_LOCAL_PART = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+/=?^_`{|}~-"
)
# A word of a script without spaces may follow at once, and is of an address only where no other reading is.
_DOMAINS = tuple(
    re.compile(
        rf"(?:[^\W_{not_of}](?:(?:[^\W{not_of}]|-){{0,61}}[^\W_{not_of}])?\.)+"
        rf"(?:[^\W\d_{not_of}]{{2,24}}|xn--[a-zA-Z0-9-]{{2,58}})(?!-|[^\W{not_of}])"
    )
    for not_of in (UNSPACED, "")
)
_LONGEST_LOCAL_PART = 64
_OPENING = "'`*{|=!#$%&/?^~.+-_"


_BRACKETED_DOT = r"\s?[\[({]\s?(?:dot|punkt|point|punto)\s?[\])}]\s?"
_SPELLED = tuple(
    re.compile(
        rf"(?<![.+-])(?<![^\W{not_of}])(?:[.+-]|[^\W{not_of}]){{1,64}}(?P<at>\s?[\[({{]\s?(?:at|ät|@)\s?[\])}}]\s?)"
        rf"(?:[^\W_][\w-]{{0,61}}(?:\.|{_BRACKETED_DOT})){{1,4}}[^\W\d_{not_of}]{{2,24}}(?!-|[^\W{not_of}])",
        re.IGNORECASE,
    )
    for not_of in (UNSPACED, "")
)
_BRACKETED_AT = re.compile(r"[\[({]\s?(?:at|ät|@)", re.IGNORECASE)
_SPELLED_AT = re.compile(r"\s?[\[({]\s?(?:at|ät|@)\s?[\])}]\s?", re.IGNORECASE)


def recognisers() -> tuple[Recogniser, ...]:
    """E-mail addresses, links and IP addresses."""
    return (
        recogniser(email, "email", sign=Sign.AT),
        recogniser(url, "url"),
        recogniser(ip, "ip", sign=Sign.PARTED),
    )


def email(scan: Scan) -> Iterator[PersonalSpan]:
    """E-mail addresses, from each @ to both sides, and from each that is spelled out in brackets."""
    text = scan.text
    if ("(" in text or "[" in text or "{" in text) and _BRACKETED_AT.search(text):
        found: dict[int, tuple[int, int]] = {}
        for form in _SPELLED[: 1 if text.isascii() else None]:
            found = {match.start("at"): match.span() for match in form.finditer(text)} | found
        for start, end in found.values():
            yield PersonalSpan(start, end, "email", 0.9, "a spelled-out e-mail address")
    at = text.find("@")
    while at >= 0:
        domain = _DOMAINS[0].match(text, at + 1) or _DOMAINS[1].match(text, at + 1)
        # Words on both sides, as of a decorator in code, are an address only where the whole may be one.
        is_word = domain is not None and at > 0 and _is_unspaced(text[at - 1])
        if domain and (not is_word or _DOMAINS[1].match(text, at + 1)):
            start = _local_part(text, at)
            if start < at:
                yield PersonalSpan(start, domain.end(), "email", 0.95, "an e-mail address")
        at = text.find("@", at + 1)


def plain_email(value: str) -> str:
    """The address with what is spelled out as the signs that are meant."""
    return re.sub(_BRACKETED_DOT, ".", _SPELLED_AT.sub("@", value), flags=re.IGNORECASE)


def _local_part(text: str, at: int) -> int:
    start = at
    least = max(0, at - _LONGEST_LOCAL_PART)
    while start > least and _is_of_local_part(text[start - 1]):
        start -= 1
    if at and not _is_unspaced(text[at - 1]):
        start = next((i + 1 for i in range(at - 1, start - 1, -1) if _is_unspaced(text[i])), start)
    # `mail='ann@example.org'`, `email=ann@...`: what stands before the last of these is not the address.
    cut = text.rfind("=", start, at)
    start = cut + 1 if cut >= 0 else start
    cut = text.rfind("'", start, at)
    # The quote of `'ann@...'` opens, that of o'neil stands within a word.
    if cut > start and not text[cut - 1].isalnum():
        start = cut + 1
    while start < at and text[start] in _OPENING:
        start += 1
    return at if text[at - 1] == "." else start


def _is_unspaced(character: str) -> bool:
    return character.isalnum() and not is_glued(character)


def _is_of_local_part(character: str) -> bool:
    return character in _LOCAL_PART or (character >= "\x80" and character.isalnum())


_WWW = re.compile(rf"(?<![./@-])(?<![^\W{UNSPACED}])www\.(?:[\w-]+\.)+[a-z]{{2,}}", re.IGNORECASE)
_SCHEMES = frozenset({"http", "https", "ftp", "ftps", "ws", "wss"})
_LETTERS = re.compile("[A-Za-z]+")
_HOST = re.compile(
    r"(?:[^\s/@?#]+@)?(?:[\w-]+\.)+[\w-]{2,}|localhost|[0-9.]{7,15}|[\w-]+:[0-9]{2,5}"
)
_LONGEST_SCHEME = 5


def _scheme(text: str, at: int) -> int:
    """Where the scheme begins that ends there; `at` where none does."""
    start = at
    while start > max(0, at - _LONGEST_SCHEME) and text[start - 1].isalpha():
        start -= 1
    while start < at and text[start:at].lower() not in _SCHEMES:
        start += 1
    return start


def url(scan: Scan) -> Iterator[PersonalSpan]:
    """Links: http, https, ftp, ws, and hosts that begin with www."""
    yield from _links(scan.text, _with_scheme(scan.text))
    if "www." in scan.lower:
        yield from _links(scan.text, ((m.start(), m.start()) for m in _WWW.finditer(scan.text)))


def _with_scheme(text: str) -> Iterator[tuple[int, int]]:
    at = text.find("://")
    while at >= 0:
        start = _scheme(text, at)
        if start < at and _HOST.match(text, at + 3):
            yield start, at + 3
        at = text.find("://", at + 3)


def _links(text: str, places: Iterable[tuple[int, int]]) -> Iterator[PersonalSpan]:
    """The links that begin there, in order, each with the place after its scheme.

    Those that end at one place share what is read of it: there may be thousands."""
    stop = end = counted = opened = 0
    for start, rest in places:
        if rest >= stop:
            stop = end = link_end(text, rest)
            while end > rest and text[end - 1] in ".,;:!?*_'\u3001\u3002\uff0c\uff1a\uff1b":
                end -= 1
            is_plain = text[start:end].isascii()
            counted, opened = start, 0
            closes = text[end - 1] in ")\uff09"
            if closes:
                opened = _count_open_brackets(text, start, end)
        last = end
        if closes:
            opened -= _count_open_brackets(text, counted, start)
            counted = start
            # "(see https://example.org/a)" closes its own bracket, and ".../a_(b)" has one.
            last -= opened < 0
        if not is_plain:
            last = min(last, host_end(text, rest, stop))
        yield PersonalSpan(start, last, "url", 0.9, "a link")


def _count_open_brackets(text: str, start: int, end: int) -> int:
    """How many more brackets are opened there than closed."""
    return sum(text.count(sign, start, end) for sign in "(\uff08") - sum(
        text.count(sign, start, end) for sign in ")\uff09"
    )


_V4 = re.compile(r"[0-9][0-9]{0,2}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9]|\.[0-9])")
_V6 = re.compile(r"(?:[0-9A-Fa-f]{1,4})?(?::[0-9A-Fa-f]{0,4}){2,7}(?:[0-9.]{6,14})?")
_GLOBAL = re.compile("(?:[23][0-9A-Fa-f]{3}|[Ff][CcDdEe][0-9A-Fa-f]{2}):")
_TWO_COLONS = re.compile(":[0-9A-Fa-f]{0,4}:")
_VERSION = re.compile(
    r"(?:\bv|version|release|firmware|build|section|kapitel|chapter|==|>=|<=|~=)[\s:.=]*$"
)
_NOBODY = frozenset({"0.0.0.0", "127.0.0.1", "255.255.255.255"})  # noqa: S104 - not bound, only named
_OCTET, _FEWEST_GROUPS, _ALL_GROUPS = 255, 3, 8


def ip(scan: Scan) -> Iterator[PersonalSpan]:
    """IP addresses of both versions; a version number of four parts is not one."""
    text = scan.text
    if b"0.0" in scan.outline:
        for match in _V4.finditer(text):
            if _is_v4(scan, match):
                yield PersonalSpan(match.start(), match.end(), "ip", 0.9, "an IPv4 address")
    if text.count(":") > 1 and _TWO_COLONS.search(text):
        for match in _V6.finditer(text):
            if _is_v6(scan, match):
                yield PersonalSpan(match.start(), match.end(), "ip", 0.9, "an IPv6 address")


def _is_octet(part: str) -> bool:
    return int(part) <= _OCTET and (part == "0" or part[0] != "0")


def _is_v4(scan: Scan, match: re.Match[str]) -> bool:
    start = match.start()
    left = scan.text[start - 1] if start else " "
    if left in "._" or match[0] in _NOBODY or match[0].startswith("255."):
        return False
    if not all(map(_is_octet, match[0].split("."))):
        return False
    return not _VERSION.search(scan.before(start, 12)) and scan.is_alone(start, match.end())


def _is_v6(scan: Scan, match: re.Match[str]) -> bool:
    value = match[0]
    groups = [group for group in value.split(":") if group]
    # `a::b` is a path in many languages; 12:30:45 is a time.
    if "::" in value and (len(groups) < _FEWEST_GROUPS and not _GLOBAL.match(value)):
        return False
    if not scan.is_alone(match.start(), match.end()) or not _is_address(value):
        return False
    return any(map(str.isdigit, value)) and len(groups) > 1


def _is_address(value: str) -> bool:
    try:
        IPv6Address(value)
    except AddressValueError:
        return False
    return True
