"""A text without the sign of a recogniser holds nothing for it, whatever stands beside."""

import random
import sys
import tracemalloc
import unicodedata
from itertools import cycle

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mnemonic import Mnemonic
from tests.guard.privacy.test_recognisers import JWT, KEY, MNEMONIC, PEM, WIF
from tests.guard.privacy.values import VALUES

from finewright.guard.privacy.assigned import KEY_WORDS, PASSWORD_WORDS
from finewright.guard.privacy.births import CALLED
from finewright.guard.privacy.find import DEFAULT, find, recognisers, signs_of
from finewright.guard.privacy.mnemonics import normal
from finewright.guard.privacy.scan import Scan, Sign
from finewright.guard.privacy.sieve import signs_in

_PROSE = "The state of the art, as said in 1990 and 1995: see page 12 (the end), or ask Ann."
_DRAW = random.Random(7)  # noqa: S311 - no secrets are drawn
_VALUES = [value.carrier.replace("{}", value.value(_DRAW)) for value in VALUES.values()]
_SECRETS = [
    JWT, MNEMONIC, PEM, WIF, f"private key: 0x{KEY}", "xoxb-abcdefghij", 'pa\u017fswd: "hunter22x"',
    "Password: Tr0ub4dor&3", "\u041f\u0410\u0420\u041e\u041b\u042c: Tr0ub4dor",
    "se\u0130 to\u212aen = a8Kd02mXq91LzP7v",
    "postgres://ann:Tr0ub4dor@db/x", "N\u00c9 LE 12.03.1985", f"[{', '.join(map(str, range(64)))}]",
    "fe80::1:2:3", "a \u00c4T b", "ann ( \u00e4t ) firma.de",
]  # fmt: skip
_PIECES = st.sampled_from(
    [
        *_VALUES,
        *_SECRETS,
        _PROSE,
        *"0123456789 .-/(),:@_\n\u3000\u00a0\u2011\u0301",
        "abandon",
        "A0",
        "né le",
        "12",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(_PIECES, max_size=12).map("".join), min_size=1, max_size=6))
def test_all_that_is_found_is_found_by_the_signs(texts: list[str]) -> None:
    for text, signs in zip(texts, signs_in(texts), strict=True):
        scan = Scan(text)
        missed = [
            row.recognise
            for row in recognisers()
            if not row.sign & signs and any(row.recognise(scan))
        ]
        assert missed == []


@pytest.mark.parametrize("around", ["{}", "\u2019{}", "x\n{}.", "\u3000{}\u4e00"])
def test_a_value_that_is_found_alone_is_found_among_others(around: str) -> None:
    put = [around.replace("{}", text) for text in (*_VALUES, *_SECRETS)]
    for text, signs in zip(put, signs_in(put), strict=True):
        assert find(text, DEFAULT, signs=signs) == find(text, DEFAULT)


_BEYOND = [sign for sign in map(chr, range(128, 0x3001)) if sign.isspace()]
_GAPS = st.sampled_from([" ", "\n", ", ", '", "', " 3. "]) | st.sampled_from(_BEYOND)
_FORMS = st.sampled_from(
    [str.lower, str.upper, str.title, lambda text: unicodedata.normalize("NFD", text)]
)


@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("language", Mnemonic.list_languages())
@given(
    st.integers(), st.sampled_from([16, 20, 32]), st.lists(_GAPS, min_size=1, max_size=24), _FORMS
)
def test_seed_phrases_of_every_language_have_the_sign(language, seed, size, gaps, form) -> None:
    entropy = random.Random(seed).randbytes(size)  # noqa: S311 - no secrets are drawn
    phrase = Mnemonic(language).to_mnemonic(entropy).split()
    parted = "".join(map("".join, zip(phrase, cycle(gaps), strict=False))).rstrip()
    written = form(parted)
    # Turkish in capitals is none that lower case makes the same again: there no phrase is found either.
    assume(normal(written) == normal(parted))
    assert signs_in(["x", f"\u201c{written}\u201d"])[1] & Sign.SEED


def test_memory_does_not_grow_with_the_number_of_texts() -> None:
    texts = ["; ".join(map(str, range(i, i + 10_000))) for i in range(60)]  # 4 MB
    signs_in(texts[:1])
    tracemalloc.start()
    found = signs_in(texts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [sign for text in texts for sign in signs_in([text])]
    assert peak < 40e6


def test_most_of_prose_is_not_looked_at() -> None:
    assert signs_in([_PROSE, ""]) == [Sign.TEXT, Sign.TEXT]
    assert signs_of(DEFAULT) & Sign.TEXT == 0
    assert signs_in([]) == []


def test_lower_case_makes_no_other_sign_one_of_a_word() -> None:
    known = set("".join((*CALLED, *PASSWORD_WORDS, *KEY_WORDS)))
    others = {
        sign
        for sign in map(chr, range(sys.maxunicode + 1))
        if not known.isdisjoint(sign.lower()) and sign not in known
    }
    upper = {sign.upper() for sign in known}
    assert others - upper == {"\u212a", "\u0130"}
