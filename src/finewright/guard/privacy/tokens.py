"""Keys and tokens that their issuers gave a shape: cloud, forges, chat, payment, models, packages, JWT, PEM.

Each rule has a piece of text that must be there before its pattern is tried. Shapes are those that the
issuers document, as secret scanners know them. Not covered: whether a token is still valid."""

import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from finewright.guard.privacy.scan import Recogniser, Scan, Span, recogniser
from finewright.schema.privacy import SecretType


class Rule(NamedTuple):
    """A shape of token: what must be in the text, the pattern, and a last judgement of a match."""

    type: SecretType
    what: str
    needle: str
    pattern: re.Pattern[str]
    judge: Callable[[str], bool] | None = None


_LEAST_BITS = 3.0


def bits_per_character(text: str) -> float:
    """Shannon entropy of the characters of a text."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)


def is_random(text: str) -> bool:
    """Letters and digits mixed as no word is: not `sk-fading-circle`, not `xxxxxxxx`."""
    return (
        any(c.isdigit() for c in text)
        and any(c.isalpha() for c in text)
        and bits_per_character(text) >= _LEAST_BITS
    )


def is_varied(text: str) -> bool:
    """Not one word in one case: the looser judgement, for what has its issuer's mark."""
    has_cases = any(c.islower() for c in text[6:]) and any(c.isupper() for c in text[6:])
    is_mixed = has_cases or any(c.isdigit() for c in text)
    return is_mixed and bits_per_character(text) >= _LEAST_BITS


def is_jwt(token: str) -> bool:
    """Is the first part JSON with an algorithm (RFC 7519)?"""
    header = _decoded(token.partition(".")[0])
    try:
        data = json.loads(header)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and "alg" in data


def _is_discord(token: str) -> bool:
    return _decoded(token.partition(".")[0]).isdigit()


def _decoded(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (ValueError, binascii.Error):
        return b""


def _rule(
    type_: SecretType,
    what: str,
    needle: str,
    pattern: str,
    judge: Callable[[str], bool] | None = is_varied,
) -> Rule:
    return Rule(type_, what, needle, re.compile(pattern), judge)


_B64 = "[A-Za-z0-9+/]"
_URL64 = "[A-Za-z0-9_-]"
_SIGNATURE = "(?<=sig=)(?:[A-Za-z0-9/+]|%2[BbFf]){43,64}(?:=|%3[Dd])"
_DISCORD_WEBHOOK = rf"discord(?:app)?\.com/api/webhooks/[0-9]{{17,20}}/{_URL64}{{60,}}"
_DISCORD = rf"[MNO]{_URL64}{{23,27}}\.{_URL64}{{6}}\.{_URL64}{{27,40}}"
_MODEL_KEY = f"sk-(?:[a-z0-9]{{2,8}}-){{0,2}}{_URL64}{{20,}}"
RULES = (
    _rule("cloud_key", "AWS access key id", "KIA", "AKIA[A-Z2-7]{16}", None),
    _rule("cloud_key", "AWS temporary key id", "SIA", "ASIA[A-Z2-7]{16}", None),
    _rule("cloud_key", "Google API key", "AIza", f"AIza{_URL64}{{35}}"),
    _rule("cloud_key", "Google OAuth secret", "GOCSPX-", f"GOCSPX-{_URL64}{{28}}"),
    _rule("cloud_key", "Google access token", "ya29.", rf"ya29\.{_URL64}{{30,}}"),
    _rule("cloud_key", "Azure storage key", "AccountKey=", f"(?<=AccountKey=){_B64}{{86}}=="),
    _rule("cloud_key", "Azure shared access signature", "sig=", _SIGNATURE),
    _rule("cloud_key", "Azure client secret", "Q~", r"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),
    _rule("cloud_key", "DigitalOcean token", "_v1_", "do[opr]_v1_[0-9a-f]{64}"),
    _rule("forge_token", "GitHub token", "gh", "gh[opsur]_[A-Za-z0-9]{36,251}"),
    _rule("forge_token", "GitHub fine-grained token", "github_pat_", "github_pat_[A-Za-z0-9_]{22,}"),
    _rule("forge_token", "GitLab token", "gl", f"gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent)-{_URL64}{{20,}}"),
    _rule("chat_token", "Slack token", "xox", "xox[abeoprs]-[A-Za-z0-9-]{10,}"),
    _rule("chat_token", "Slack app token", "xapp-", "xapp-[0-9]-[A-Za-z0-9-]{20,}"),
    _rule("chat_token", "Slack webhook", "hooks.slack.com", r"hooks\.slack\.com/[a-z]+/[A-Za-z0-9/]{30,}"),
    _rule("chat_token", "Discord webhook", "/api/webhooks/", _DISCORD_WEBHOOK),
    _rule("chat_token", "Discord bot token", ".", _DISCORD, _is_discord),
    _rule("chat_token", "Telegram bot token", ":AA", f"[0-9]{{8,10}}:AA{_URL64}{{32,34}}"),
    _rule("payment_key", "Stripe key", "k_", "[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    _rule("payment_key", "Stripe webhook secret", "whsec_", "whsec_[A-Za-z0-9+/]{24,}=*"),
    _rule("model_key", "key of a model service", "sk-", _MODEL_KEY, is_random),
    _rule("model_key", "Hugging Face token", "hf_", "hf_[A-Za-z0-9]{30,}", None),
    _rule("model_key", "key of a model service", "gsk_", "gsk_[A-Za-z0-9]{40,}"),
    _rule("package_token", "npm token", "npm_", "npm_[A-Za-z0-9]{36}"),
    _rule("package_token", "PyPI token", "pypi-", f"pypi-AgE{_URL64}{{50,}}"),
    _rule("service_key", "SendGrid key", "SG.", rf"SG\.{_URL64}{{16,32}}\.{_URL64}{{16,64}}"),
    _rule("service_key", "Twilio key", "SK", "SK[0-9a-f]{32}"),
    _rule("service_key", "Shopify token", "shp", "shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    _rule("jwt", "JSON Web Token", "eyJ", rf"eyJ{_URL64}{{8,}}\.{_URL64}{{2,}}\.{_URL64}*", is_jwt),
)  # fmt: skip


def recognisers() -> tuple[Recogniser, ...]:
    """Keys and tokens by their shape, AWS secrets, and PEM private keys."""
    return (
        Recogniser(frozenset(rule.type for rule in RULES), recognise),
        recogniser(aws_secret, "cloud_key"),
        recogniser(private_key, "private_key"),
    )


def recognise(scan: Scan) -> Iterator[Span]:
    """Tokens by their shape."""
    text = scan.text
    for rule in RULES:
        if rule.needle not in text:
            continue
        for match in rule.pattern.finditer(text):
            start, end = match.span()
            left = text[start - 1] if start else " "
            if left.isalnum() and not rule.pattern.pattern.startswith("(?<="):
                continue
            if rule.judge is None or rule.judge(match[0]):
                yield Span(start, end, rule.type, 0.97, rule.what)


_AWS_ID = re.compile(r"(?<![A-Za-z0-9])A[KS]IA[A-Z2-7]{16}(?![A-Za-z0-9])")
_AWS_SECRET = re.compile(r"(?<![A-Za-z0-9/+=_-])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=_-])")
_AWS_REACH = 200
# 40 random characters of base64 have 4.7 bits each; words and paths of that length have fewer.
_AWS_BITS = 4.2


def aws_secret(scan: Scan) -> Iterator[Span]:
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
        kinds = (str.isdigit, str.islower, str.isupper)
        has_all = all(any(is_of(c) for c in match[0]) for is_of in kinds)
        if is_near and has_all and bits_per_character(match[0]) >= _AWS_BITS:
            yield Span(start, end, "cloud_key", 0.95, "beside an AWS access key id")


_BEGIN = "-----BEGIN "
_HEAD = re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/=]{24,}")


def private_key(scan: Scan) -> Iterator[Span]:
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
            yield Span(head.start(), last, "private_key", 1.0, "a PEM private key")


def _last_of_body(text: str, start: int, stop: int) -> int:
    """The end of the base64 lines of a key that has no last line; 0 if there are none."""
    last = 0
    for run in re.finditer(r"(?:\s|\\n|\\r)*[A-Za-z0-9+/=]{24,}", text[start:stop]):
        if last and start + run.start() > last:
            break
        last = start + run.end()
    return last
