"""What is found, where, and what is not."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright import plugins
from finewright.errors import MissingExtra
from finewright.guard.privacy import find as find_module
from finewright.guard.privacy.find import SECRETS, apart, find, list_known_types, require
from finewright.guard.privacy.replace import redact
from finewright.guard.privacy.scan import PersonalSpan
from finewright.schema.privacy import PersonalDataSpec

from .test_recognisers import KEY, MARKED

EVERY = list_known_types() - {"crypto_address"}


def test_the_secret_beside_an_aws_key_id_is_found_and_no_digest() -> None:
    key_id, secret = "AKIA" + "IOSFODNN7QWERTYU", "wJalrXUtnFEMI/K7MDENG+bPxRfiCY" + "zXAMPLE9Qe"
    for text in (
        f"{key_id} and secret {secret}",
        f"id: {key_id}\nkey: '{secret}'",
        secret + key_id,
    ):
        found = [text[span.start : span.end] for span in find(text)]
        assert (secret in found) is (text != secret + key_id)
    sha1 = "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"
    path = "src/main/java/org/example/app/Controller"
    for other in (sha1, path, sha1.upper()):
        assert [span.why for span in find(f"{key_id} {other}")] == ["AWS access key id"]
    assert find(f"a digest {secret} alone") == ()
    assert [s.why for s in find(f"{key_id}{' the' * 60} {secret}")] == ["AWS access key id"]


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3.4 of 2024-05-06, section 1.2.3.4",
        "at 12:30:45 it was 0x" + "ab" * 32,
        f"bytes32 constant PRIVATE_KEY_HASH = keccak256(0x{KEY});",
        "address token = 0x52908400098527886E0F7030069857D2E4169EE7;",
        "4111 1111 1111 1112 and 1234567890123456",
        "DE89 3704 0044 0532 0130 01",
        "we met on 2001-05-12, and she was born in 1985",
        "-----BEGIN PRIVATE KEY----- is how it starts",
        "postgres://user:password@localhost/db and https://example.org:8080/a@b",
        "password: required, password = getPassword(), password=<your password>, pwd=${PWD}",
        "api_key = os.environ['OPENAI_API_KEY'] and token=your-token-goes-here-please",
        "sk-fading-circle-spinner sk-circle-fade-dot-twelve",
        "the legal winner of the year may thank the wave",
        "uint256 x = 115792089237316195423570985008687907853269984665640564039457584007913129639935;",
        "1000000000000000000 wei, 0123456789, 1700000000",
        "Ihr Postfach 12 ist voll, BP 3 too, and meet me [at] noon or (at) home. Look {at} this",
        "array[at].length, f(at) and x[at] = y.z; look (at) 3.5",
        "std::vector a::b 00:1a:2b:3c:4d:5e @override @param user",
    ],
)
def test_what_only_looks_like_it_is_not_found(text: str) -> None:
    found = find(text)
    assert [(span.type, text[span.start : span.end]) for span in found] == []


def test_a_type_whose_package_is_not_installed_is_refused_before_a_text_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caches = (find_module.recognisers, find_module._recognisers)
    monkeypatch.setattr(plugins, "find_installed", lambda kind: [])
    for cached in caches:
        cached.cache_clear()
    try:
        for run in (lambda: find("", {"crypto_address"}), lambda: require({"crypto_address"})):
            with pytest.raises(MissingExtra, match="comes with finewright-web3") as caught:
                run()
            assert caught.value.hint == 'pip install "finewright[web3]"'
        assert find("ann@example.org", {"email"})
    finally:
        for cached in caches:
            cached.cache_clear()


def test_the_types_that_are_asked_for_are_the_types_that_come() -> None:
    text = "ann@example.org, 203.0.113.9"
    assert {span.type for span in find(text, {"ip"})} == {"ip"}
    assert find(text, set()) == ()


def test_of_two_that_overlap_the_certain_one_wins_then_the_longer() -> None:
    long_guess = PersonalSpan(0, 20, "phone", 0.7, "")
    sure = PersonalSpan(5, 15, "card", 0.95, "")
    other = PersonalSpan(15, 18, "ip", 0.9, "")
    assert apart([long_guess, sure, other]) == (sure, other)
    assert apart([PersonalSpan(3, 9, "email", 0.95, ""), PersonalSpan(0, 9, "url", 0.9, "")]) == (
        PersonalSpan(0, 9, "url", 0.9, ""),
    )


def test_the_defaults_are_the_checked_types_and_every_secret() -> None:
    assert set(PersonalDataSpec().types) | SECRETS <= EVERY
    text = "Anna Weber, ann@example.org"
    assert {span.type for span in find(text)} == {"email"}


VALUES = [marked[marked.index("«") + 1 : marked.index("»")] for marked, _ in MARKED]
PIECES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(VALUES),
    st.sampled_from(
        [" ", "\n", ", ", "İ", "born ", "password: ", "@", "+", "(", "private key ", "card "]
    ),
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)


@settings(max_examples=250, deadline=None)
@given(TEXTS)
def test_spans_are_within_the_text_in_order_and_apart(text: str) -> None:
    spans = find(text, EVERY)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(one.end <= other.start for one, other in pairwise(spans))


@settings(max_examples=250, deadline=None)
@given(TEXTS)
def test_nothing_is_found_in_a_redacted_text(text: str) -> None:
    assert find(redact(text, EVERY), EVERY) == ()
    assert redact(redact(text, EVERY), EVERY) == redact(text, EVERY)


@pytest.mark.parametrize(
    "text",
    [
        "What is 429-33-6429?",
        "Part no. 523-93-4523 is sold out",
        "Part AB123456C is sold out",
        "Order 046 454 286 arrived",
        "Sort: 4855 4346 4739 2389",
    ],
)
def test_figures_that_only_have_the_form_of_a_number(text: str) -> None:
    assert find(text) == ()


def test_what_has_no_check_is_not_called_checked() -> None:
    text = "SSNs of the three: 429-33-6429, 523-93-4523,\n742-88-8742"
    found = find(text)
    assert [text[span.start : span.end] for span in found] == [
        "429-33-6429", "523-93-4523", "742-88-8742"
    ]  # fmt: skip
    assert not any(span.why.endswith("checked") for span in found)
