"""What is found, where, and what is not."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.guard.privacy.find import RECOGNISERS, SECRETS, apart, find
from finewright.guard.privacy.replace import redacted
from finewright.guard.privacy.scan import Span
from finewright.schema.privacy import FoundType, PersonalDataSpec

EVERY = frozenset(type_ for row in RECOGNISERS for type_ in row.types)
MNEMONIC = "legal winner thank year wave sausage worth useful legal winner thank yellow"
JWT = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0."
    "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
)
PEM = "-----BEGIN RSA PRIVATE KEY-----\n{0}\n{0}\n-----END RSA PRIVATE KEY-----".format(
    "MIIEpAIB" * 8
)
RANDOM = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0z"
KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"

# (text with the value between « and », its type); values that are published examples or made up.
FOUND: list[tuple[str, FoundType]] = [
    ("write to «jürgen.o'neil+x@mail.example.org».", "email"),
    ("mail='«ann@example.com»'", "email"),
    ("call «+49 (0)30 123456» today", "phone"),
    ("call «(415) 555-2671 x12»", "phone"),
    ("Tel.: «030 1234567»", "phone"),
    ("mon numéro: «06 12 34 56 78»", "phone"),
    ("IBAN «DE89 3704 0044 0532 0130 00»,", "iban"),
    ("iban «gb82west12345698765432»", "iban"),
    ("card «4111-1111-1111-1111»", "card"),
    ("paid with «378282246310005».", "card"),
    ("Steuer-ID: «86095742719»", "national_id"),
    ("his SSN is «536-90-4399»", "national_id"),
    ("DNI «12345678Z»", "national_id"),
    ("nato, «RSSMRA85T10A562S»", "national_id"),
    ("NI number «AB 12 34 56 C»", "national_id"),
    ("NIR «2 84 03 2A 123 456 97»", "national_id"),
    ("born on «12 March 1985»", "date_of_birth"),
    ("Geburtsdatum: «03.04.1980»", "date_of_birth"),
    ("née le «3 août 1991»", "date_of_birth"),
    ("her birthday, «1985-03-12»", "date_of_birth"),
    ("host «203.0.113.9»:80", "ip"),
    ("host «2001:db8:85a3::8a2e:370:7334» up", "ip"),
    ("(see «https://example.org/a_(b)?c=1»).", "url"),
    ("to «0x52908400098527886E0F7030069857D2E4169EE7»", "crypto_address"),
    ("to «1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa»", "crypto_address"),
    ("to «bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4»", "crypto_address"),
    ("Dear Mr. «Xolani Abernathyx», thanks", "name"),
    ("I met «Anna Weber» there", "name"),
    ("at «1600 Pennington Parkway, Springfield, CA 94043»", "address"),
    ("in der «Beethovenstraße 12, 53115 Bonn»", "address"),
    ("He lives at «221B Baker Street, London NW1 6XE»", "address"),
    ("to «10 Downing Street, London, SW1A 2AA»", "address"),
    ("an «4 Rose Lane, Stoke on Trent ST4 2AA».", "address"),
    ("Antwort an «Postfach 12 34, 8001 Zürich», danke", "address"),
    ("to «P.O. Box 1234, Springfield, IL 62701»", "address"),
    ("write to «anna [at] example [dot] com» please", "email"),
    ("Kontakt: «anna.weber(at)firma.de»", "email"),
    ("an «anna {ät} firma {punkt} de»", "email"),
    (f"key «AKIA{'IOSFODNN7QWERTYU'}» leaked", "cloud_key"),
    (f"token «ghp_{RANDOM + RANDOM[:5]}»", "forge_token"),
    (f"token «glpat-{RANDOM[:20]}»", "forge_token"),
    (f"«xoxb-{'123456789012-' * 2}a1B2c3D4»", "chat_token"),
    (f"«123456789:AA{'aB3_x' * 6}aBc»", "chat_token"),
    (f"«sk_live_{RANDOM}»", "payment_key"),
    (f"«sk-ant-api03-{RANDOM}-{RANDOM}»", "model_key"),
    (f"«npm_{RANDOM + RANDOM[:5]}»", "package_token"),
    (f"«pypi-AgEIcHlwaS5vcmc{RANDOM * 3}»", "package_token"),
    (f"Bearer «{JWT}»", "jwt"),
    (f"key: «{PEM}»!", "private_key"),
    (f"my private key: «0x{KEY}»", "ethereum_key"),
    (f"seed: «{MNEMONIC}».", "mnemonic"),
    ("«postgres://app:s3cr3tpw@db.internal:5432/x»", "connection_string"),
    ("password = '«hunter2!x»'", "password"),
    ("Mein Passwort lautet «Sommer2024», bitte", "password"),
    (f"api_key: «{RANDOM}»", "secret_value"),
]


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


@pytest.mark.parametrize(("marked", "type_"), FOUND)
def test_a_value_is_found_at_its_place(marked: str, type_: FoundType) -> None:
    start, end = marked.index("«"), marked.index("»") - 1
    text = marked.replace("«", "").replace("»", "")
    spans = [span for span in find(text, EVERY) if span.type == type_]
    assert [(span.start, span.end) for span in spans] == [(start, end)]


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


def test_the_types_that_are_asked_for_are_the_types_that_come() -> None:
    text = "ann@example.org, 203.0.113.9"
    assert {span.type for span in find(text, {"ip"})} == {"ip"}
    assert find(text, set()) == ()


def test_of_two_that_overlap_the_certain_one_wins_then_the_longer() -> None:
    long_guess = Span(0, 20, "phone", 0.7, "")
    sure = Span(5, 15, "card", 0.95, "")
    other = Span(15, 18, "ip", 0.9, "")
    assert apart([long_guess, sure, other]) == (sure, other)
    assert apart([Span(3, 9, "email", 0.95, ""), Span(0, 9, "url", 0.9, "")]) == (
        Span(0, 9, "url", 0.9, ""),
    )


def test_the_defaults_are_the_checked_types_and_every_secret() -> None:
    assert set(PersonalDataSpec().types) | SECRETS <= EVERY
    text = "Anna Weber, ann@example.org"
    assert {span.type for span in find(text)} == {"email"}


VALUES = [marked[marked.index("«") + 1 : marked.index("»")] for marked, _ in FOUND]
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
    assert find(redacted(text, EVERY), EVERY) == ()
    assert redacted(redacted(text, EVERY), EVERY) == redacted(text, EVERY)


@pytest.mark.parametrize(
    "piece", ["a", "1", " 1", "1 ", "@a.", "a@", "A", "0x", "(", "é-", "1.1:", "A B. "]
)
def test_a_long_line_takes_time_in_proportion(piece: str) -> None:
    """200,000 characters of one kind: a pattern that backtracks would take minutes."""
    find(piece * (200_000 // len(piece)), EVERY)
