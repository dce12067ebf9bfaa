"""Secrets that only their name gives away: passwords, connection strings, keys that are assigned.

A value counts when it looks made up: no placeholder (`<password>`, `${TOKEN}`, `xxxx`, `changeme`), no
word alone, no call or variable. Not covered: a password that is a word, unless quotes enclose it."""

import re
from collections.abc import Iterator
from itertools import chain

from finewright.guard.privacy.encodings import base58_bytes
from finewright.guard.privacy.scan import PersonalSpan, Recogniser, Scan, Sign, recogniser
from finewright.guard.privacy.tokens import is_random
from finewright.guard.privacy.unspaced import before_words, host_end, path_end

PASSWORD_WORDS = (
    "passw", "passphrase", "pwd", "kennwort", "contrase", "mot de passe", "mdp", "senha", "парол", "密码",
    "密碼", "口令", "パスワード", "비밀번호",
)  # fmt: skip
_IS = r"(?:(?:is|was|ist|lautet|est|es|era|è|e)\b|是|为|は|=>|:=|=|:|\uff1a|\u2014)"
# `key: string = `, `key: &str = `; Terraform's `variable "key" { type = string default = `.
_TYPED = (
    r":\s?[&'A-Za-z][\w.<>\[\]' ]{0,20}="
    r"|\{\s{0,9}(?:(?:type|sensitive)\s{0,9}=\s{0,9}\w{1,9}\s{1,9}){0,2}default\s{0,9}="
)
_PASSWORD = re.compile(
    r"(?:pass(?:word|wort|wd|phrase)|passw|pwd|kennwort|contrase(?:ñ|n)a|mot de passe|mdp|senha"
    r"|парол\w*|密码|密碼|口令|パスワード|비밀번호)s?"
    rf"(?:[\"'`]?\s{{0,3}}(?:{_IS}|{_TYPED})\s{{0,3}}"
    r"|(?P<loose>\s(?=[\"'`])|(?: (?:today|now|here|below|again)):\s{0,3}))"
    r"(?P<quote>[\"'`]?)(?P<value>[^\s\"'`<>{}\[\]\u3001\u3002\uff01\uff09\uff0c\uff1b\uff1f]{6,100})",
    re.IGNORECASE,
)
# Values that are called a password without a sign between: after an option, in the cell of a table.
_OPTION = re.compile(
    r"(?<!\w)--(?!(?:no|ask|skip|without|require|prompt|read|reset|change|show|hide"
    r"|generate|two|multi|allow|dry)-)[\w-]{0,30}"
    r"(?:password|passwd|passphrase|pwd|pass)[ \t](?P<quote>[\"'`]?)"
    r"(?P<value>(?!-|(?:env|file):)[^\s\"'`<>|]{6,100})",
    re.IGNORECASE,
)
_CELL = re.compile(
    r"^\s{0,3}\|\s{0,3}(?:password|passwd|passphrase|pwd|kennwort|passwort)\s{0,9}\|\s{0,3}(?P<quote>`?)"
    r"(?P<loose>)(?P<value>[^\s\"'`<>|\[\]]{8,100})`?\s{0,9}\|",
    re.IGNORECASE | re.MULTILINE,
)
_FILE_NAME = re.compile(r"\.\w{1,5}$")
KEY_WORDS = ("key", "secret", "token", "credential", "auth")
_KEYED = re.compile(
    # Each in three cases: a pattern that ignores case is several times slower.
    r"(?:key|Key|KEY|secret|Secret|SECRET|token|Token|TOKEN|credential|Credential|CREDENTIAL|auth|Auth|AUTH)"
    r"s?(?:orization|[_-]?(?:[Ii]d|ID|[Vv]alue|VALUE|[Kk]ey|KEY))?[\"'`]?"
    rf"\s{{0,3}}(?:=>|:=|=|{_TYPED}|:|is)\s{{0,3}}"
    r"(?:[Bb]earer |[Bb]asic )?[\"'`]?(?P<value>[A-Za-z0-9_\-+/=.~]{16,200})"
)
# Keys of tables and stores, which all may know: a primary key, a cache key. Their secrets and tokens are not.
_OPEN_KEY = re.compile(
    r"(?:(?<![A-Za-z])|(?<=[a-z])(?=[A-Z]))(?i:idempotency|primary|foreign|partition|shard|row|sort|cache|routing"
    r"|dedup\w{0,9}|group|surrogate|natural|object|public|correlation|site)[\s_-]?$"
)
_MINT = re.compile(r"\b(?:mint|spl|solana)\b")
_KEY_REACH, _MINT_REACH = 20, 80
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]+")
_ADDRESS_BYTES = 32
_PLACEHOLDER = re.compile(
    r"your|example|placeholder|changeme|change_me|dummy|sample|redacted|hidden|secret$|password|passwort"
    r"|x{4,}|\*{3,}|\.{3,}|^%|^\$|^<|^\{|^\[|^env|^process\.|^os[._]|^null$|^none$|^undefined$|^required|^string",
    re.IGNORECASE,
)
_CONNECTION = re.compile(
    r"(?<![A-Za-z0-9_+.-])[a-zA-Z][a-zA-Z0-9+.-]{1,30}://(?P<user>[^\s:@/\"'<>{}]*):(?P<value>[^\s@/\"'<>{}]+)@"
    r"(?P<host>[\w.\[\]-]+(?::[0-9]+)?)(?P<path>[/?][^\s\"'<>`]*)?"
)
_WEAK = frozenset(
    {"pass", "pw", "pwd", "secret", "user", "root", "admin", "postgres", "guest", "test"}
)
_QUOTES = "\"'`"
_TRAILING = ".,;:!?)"


def recognisers() -> tuple[Recogniser, ...]:
    """Passwords, connection strings and other values that a name calls secret."""
    return (
        recogniser(password, "password", sign=Sign.PASSWORD),
        recogniser(connection_string, "connection_string", sign=Sign.LOGIN),
        recogniser(find_keys, "secret_value", sign=Sign.KEYED),
    )


def password(scan: Scan) -> Iterator[PersonalSpan]:
    """Values that are called a password, in code or in a sentence; the span is the value alone."""
    if not scan.has_any(PASSWORD_WORDS):
        return
    for match in chain.from_iterable(
        form.finditer(scan.text) for form in (_PASSWORD, _OPTION, _CELL)
    ):
        start, end = match.span("value")
        is_quoted = bool(match["quote"]) and scan.text[end : end + 1] == match["quote"]
        ends = {end} if is_quoted else {before_words(scan.text, start, end), end}
        for end in sorted(ends):
            last = end if is_quoted else _cut(scan.text, start, end)
            if _is_password(match, scan.text[start:last], is_quoted):
                yield PersonalSpan(start, last, "password", 0.85, "called a password")
                break


def _is_password(match: re.Match[str], value: str, is_quoted: bool) -> bool:
    if match.re is not _PASSWORD or match["loose"] is not None:
        return _is_sure(match, value, is_quoted)
    return is_generated(value) or (is_quoted and _is_given(value))


def _is_sure(match: re.Match[str], value: str, is_quoted: bool) -> bool:
    """Whether what no sign calls a password is made up: of all kinds of characters, or an option's."""
    if not is_generated(value) or (match["quote"] and not is_quoted):
        return False
    if match.re is _OPTION:
        return not _FILE_NAME.search(value)
    return all(any(map(is_of, value)) for is_of in _KINDS)


def connection_string(scan: Scan) -> Iterator[PersonalSpan]:
    """Addresses of services with user and password in them; the span is the whole address."""
    if "://" not in scan.text or "@" not in scan.text:
        return
    for match in _CONNECTION.finditer(scan.text):
        value = match["value"]
        if value.lower() not in _WEAK and not _PLACEHOLDER.search(value):
            part, end_of = ("path", path_end) if match["path"] else ("host", host_end)
            end = _cut(scan.text, match.start(), end_of(scan.text, *match.span(part)))
            yield PersonalSpan(
                match.start(), end, "connection_string", 0.95, "an address with a password"
            )


def find_keys(scan: Scan) -> Iterator[PersonalSpan]:
    """Long random values that are called a key, secret or token; the span is the value alone.

    An Ethereum address or a digest of 32 bytes is none: what is called `token` there is a contract. Nor
    is a name in code: before a bracket, with a dot outside of quotes, or mostly of words."""
    if b"0" not in scan.outline or not scan.has_any(KEY_WORDS):
        return
    for match in _KEYED.finditer(scan.text):
        start, end = match.span("value")
        end = _cut(scan.text, start, end)
        value = scan.text[start:end]
        if _is_open_key(scan, match) or _is_mint(scan, match, value):
            continue
        is_code = scan.text[end : end + 1] == "(" or (
            "." in value and scan.text[start - 1] not in _QUOTES
        )
        if is_random(value) and not (is_code or _PLACEHOLDER.search(value) or _is_other(value)):
            yield PersonalSpan(start, end, "secret_value", 0.75, "called a key, and random")


def _is_open_key(scan: Scan, match: re.Match[str]) -> bool:
    before = scan.text[max(0, match.start() - _KEY_REACH) : match.start()]
    return match[0][:3].lower() == "key" and _OPEN_KEY.search(before) is not None


def _is_mint(scan: Scan, match: re.Match[str], value: str) -> bool:
    """Whether what is called a token of Solana is 32 bytes in base58, as the address of one is."""
    is_token = match[0][:5].lower() == "token"
    if not is_token or not _MINT.search(scan.before(match.start(), _MINT_REACH)):
        return False
    data = base58_bytes(value)
    return data is not None and len(data) == _ADDRESS_BYTES


def _is_other(value: str) -> bool:
    if _HEX.fullmatch(value):
        return value.startswith("0x") or len(value) in (40, 64)
    words = sum(map(len, re.findall("[a-z]{3,}", value)))
    if words > len(value) / 2 and sum(map(str.isdigit, value)) < len(value) / 7:
        return True  # EmbeddingGemma2TextScaledWord: an identifier
    # file.names, module.paths and dates: words with dots or hyphens between
    parts = re.split(r"[._/-]", value)
    return max(len(part) for part in parts) < 12  # noqa: PLR2004 - no token has shorter parts


def _cut(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1] in _TRAILING:
        end -= 1
    return end


def _is_sign(character: str) -> bool:
    return not (character.isalnum() or character in "._-")


_KINDS = (str.islower, str.isupper, str.isdigit, _is_sign)


def is_generated(value: str) -> bool:
    """Not a word, a call, a path or a placeholder: letters with digits or signs between them."""
    if len(value) < 6 or _PLACEHOLDER.search(value) or "(" in value or "://" in value:  # noqa: PLR2004
        return False
    kinds = sum(any(map(is_of, value)) for is_of in _KINDS)
    has_digit_or_sign = any(not (c.isalpha() or c in "._-") for c in value)
    return kinds >= 2 and has_digit_or_sign  # noqa: PLR2004


def _is_given(value: str) -> bool:
    return len(value) >= 6 and not _PLACEHOLDER.search(value) and value.isalnum()  # noqa: PLR2004
