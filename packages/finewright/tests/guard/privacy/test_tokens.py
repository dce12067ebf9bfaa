"""Every rule of the catalog finds a value made by its form, and no value that is nearly one."""

import re
import string
from random import Random

import pytest
from pydantic import ValidationError

from finewright.catalog.tokens import Choice, Run, TokenRule, TokenRules, token_rules
from finewright.guard.privacy.find import find
from finewright.guard.privacy.scan import PersonalSpan
from finewright.guard.privacy.tokens import pattern_of

RULES = token_rules()
# Published examples: of the Bitcoin wiki, BIP-38, BIP-32 and NIP-19.
CHECKED = {
    "Bitcoin private key": "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
    "Bitcoin private key, compressed": "KwdMAjGmerYanjeui5SHS7JkmpZvVipYvB2LJGU1ZxJwYvP98617",
    "encrypted Bitcoin key": "6PRVWUbkzzsbcVac2qwfssoUJAN1Xhrg6bNk8J7Nzm5H7kxEbn2Nh2ZoGg",
    "extended private key": (
        "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33"
        "yuGBxrMPHi"
    ),
    "Nostr secret key": "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5",
}
# The first part is decoded: {"alg":"HS256","typ":"JWT"}, and an id of digits.
BY_HAND = {
    "jwt": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "discord": "MTIzNDU2Nzg5MDEyMzQ1Njc4.GaBcDe.aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zaB3dE5",
}


def characters(run: Run) -> str:
    return "".join(c for c in string.printable if re.fullmatch(f"[{run.alphabet}]", c))


def made(rule: TokenRule, draw: Random, *, missing: int = 0, one: bool = False) -> str:
    """A value by the rule's form: its last longer run is so many characters short, or of one character."""
    parts = RULES.parts(rule)
    last = max(i for i, part in enumerate(parts) if isinstance(part, Run) and part.least > 1)
    text = ""
    for i, part in enumerate(parts):
        if isinstance(part, Choice):
            text += draw.choice(part.texts)
            continue
        pool = characters(part)
        text += "".join(
            draw.choices(pool[-1] if one else pool, k=part.least - missing * (i == last))
        )
    return text


def found(rule: TokenRule, value: str) -> list[PersonalSpan]:
    return [
        span
        for span in find(f'x = "{rule.after}{value}",', {rule.type})
        if span.why.removesuffix(", checksum fits") == rule.name
    ]


def name_of(rule: TokenRule) -> str:
    return f"{rule.name} {rule.form}"


@pytest.mark.parametrize("rule", [r for r in RULES.rules if r.judge != "checksum"], ids=name_of)
def test_a_value_of_the_form_is_found_whole(rule: TokenRule) -> None:
    draw = Random(rule.form)  # noqa: S311 - no secret
    for _ in range(3):
        value = BY_HAND.get(rule.judge) or made(rule, draw)
        start = 5 + len(rule.after)
        assert [(s.start, s.end) for s in found(rule, value)] == [(start, start + len(value))], (
            value
        )


@pytest.mark.parametrize("rule", [r for r in RULES.rules if r.judge != "jwt"], ids=name_of)
def test_a_value_that_is_too_short_is_another_thing(rule: TokenRule) -> None:
    assert found(rule, made(rule, Random(rule.form), missing=1)) == []  # noqa: S311


@pytest.mark.parametrize("rule", [r for r in RULES.rules if r.judge != "form"], ids=name_of)
def test_a_placeholder_of_one_character_is_no_secret(rule: TokenRule) -> None:
    assert found(rule, made(rule, Random(1), one=True)) == []  # noqa: S311


@pytest.mark.parametrize("value", CHECKED.values())
def test_a_published_key_is_found_by_its_checksum_alone(value: str) -> None:
    text = f"key={value},"
    assert [(s.start, s.end, s.type) for s in find(text)] == [(4, 4 + len(value), "wallet_key")]
    other = value[:-1] + ("2" if value[-1] != "2" else "3")
    assert find(f"it={other},") == ()


@pytest.mark.parametrize("prefix", ["ghp_", "npm_"])
def test_a_checksum_that_fits_makes_a_token_certain(prefix: str) -> None:
    # A revoked token of GitHub's that was published to explain the checksum.
    body, check = "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"
    (span,) = find(f"{prefix}{body}{check}")
    assert (span.confidence, span.why.endswith("checksum fits")) == (1.0, True)
    (span,) = find(f"{prefix}{body}0mLq18")
    assert (span.confidence, span.why.endswith("checksum fits")) == (0.97, False)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("acme_{alnum:4", "cannot be read from character 6 on"),
        ("acme_{klingon:4}", "no alphabet 'klingon'"),
        ("{alnum:40}", "no text that a search can begin with"),
    ],
)
def test_a_form_that_cannot_be_searched_is_refused_with_its_rule(form: str, said: str) -> None:
    rule = {"name": "Acme key", "type": "service_key", "form": form, "source": "a test"}
    facts = RULES.model_dump() | {"rules": [rule]}
    with pytest.raises(ValidationError, match=f"Acme key: .*{said}"):
        TokenRules.model_validate(facts)


def test_a_key_with_a_few_equal_characters_is_no_mask() -> None:
    key = "sk_live_" + "jVhqq1bOqy00000000kOYpSqL44C"
    slack = "xoxb-" + "111111111111-2222222222222-L7RePCdVnHNyg7Gt0Jx1AiDw"
    assert [span.type for span in find(f"{key}\n{slack}")] == ["payment_key", "chat_token"]
    assert not find("sk_live_" + "0" * 20 + "aB3")


def test_a_long_word_is_searched_from_its_beginning_alone() -> None:
    (rule,) = (rule for rule in RULES.rules if rule.judge == "jwt")
    word = "-eyJabcdefgh" * 20
    text = f"{word}.{word}.{word}"
    begins = [at for at in range(len(word)) if pattern_of(rule).match(text, at)]
    assert begins == [0]  # tried at each of its 20 beginnings it would be read 20 times


@pytest.mark.parametrize("before", ["token_", "a-", "AeyJabcdefgh-", "见"])
@pytest.mark.parametrize("size", [2, 9_000])
def test_a_web_token_is_found_whole_after_any_word(before: str, size: int) -> None:
    header, _, signature = BY_HAND["jwt"].split(".")
    token = f"{header}.{'aB-3_xYz9' * size}.{signature}"
    (span,) = find(f"{before}{token} and more")
    assert (span.start, span.end, span.type) == (len(before), len(before + token), "jwt")
