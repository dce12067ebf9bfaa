"""Raw text: every token is learned once, packed documents are as they are alone, and the loss is
transformers'."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tiny
from finewright.errors import DataError
from finewright.evaluate.answers import nll_of_expected
from finewright.lm.batch import pack, sums_of
from finewright.lm.chat import Chat
from finewright.lm.encode import encode_rows
from finewright.lm.example import DocumentLayout
from finewright.lm.model import LM
from finewright.lm.windows import cut, separator_of
from finewright.schema.rows import TEXT, Row

pytestmark = pytest.mark.torch

CHAT = tiny.tiny_chat()
TEXTS = (
    "the red word and the blue word",
    "a green thing " * 9,
    "white",
    "one more of <|im_end|> them",
)


def document(text: str, number: int = 1) -> Row:
    return Row(f"id-{number}", ({"role": TEXT, "content": text},), None, "texts.jsonl", number)


def with_layout(**layout: object) -> Chat:
    return replace(CHAT, layout=DocumentLayout(**layout))  # type: ignore[arg-type]


def own_ids(text: str) -> list[int]:
    """The text's tokens, none of which is one of control."""
    pieces = text.split("<|im_end|>")
    if len(pieces) == 1:
        return list(CHAT.tokenizer(text, add_special_tokens=False)["input_ids"])
    return list(CHAT.encode_text(text))


@given(st.lists(st.integers(0, 99), min_size=1, max_size=60), st.integers(2, 20))
def test_every_token_but_the_first_is_learned_once(ids: list[int], length: int) -> None:
    windows = cut(ids, length)
    learned = [t for w in windows for t, is_l in zip(w.input_ids, w.trained, strict=True) if is_l]
    assert learned == ids[1:]
    assert all(w.num_tokens <= length for w in windows)


def test_documents_are_read_without_control_tokens() -> None:
    controls = set(CHAT.tokenizer.all_special_ids)
    for text in TEXTS:
        ids = CHAT.encode_text(text)
        assert not controls.intersection(ids)
        assert CHAT.tokenizer.decode(ids) == text


@pytest.mark.parametrize("attention", ["within", "across"])
def test_both_layouts_learn_the_same_tokens(attention: str) -> None:
    rows = [document(text, i) for i, text in enumerate(TEXTS)]
    found = encode_rows(with_layout(attention=attention), rows, max_length=16, on_overlong="error")
    learned = Counter(
        token
        for row in found.rows
        for window in row.sequences
        for token, is_learned in zip(window.input_ids, window.trained, strict=True)
        if is_learned
    )
    separator = separator_of(CHAT)
    assert learned == Counter(t for text in TEXTS for t in [*own_ids(text), separator])
    assert found.counts.rows_in == found.counts.rows_kept == len(TEXTS)
    assert [problem.level for problem in found.problems] == ["info"]


def test_packed_documents_are_as_alone_and_joined_ones_are_not() -> None:
    lm = LM(tiny.tiny_model("llama"), {})
    rows = [document(text, i) for i, text in enumerate(TEXTS[:2])]
    apart, joined = (
        encode_rows(with_layout(attention=way), rows, max_length=200, on_overlong="error").rows
        for way in ("within", "across")
    )
    sequences = [row.sequences[0] for row in apart]
    with torch.no_grad():
        packed = sums_of(lm.token_logps(batch := pack(sequences)), batch)
        alone = torch.stack([lm.token_logps(pack([one])).sum() for one in sequences])
        across = lm.token_logps(pack([joined[0].sequences[0]])).sum()
    torch.testing.assert_close(packed, alone)
    assert abs(float(across - alone.sum())) > 1e-3


def test_the_loss_of_a_document_is_that_of_transformers() -> None:
    model = tiny.tiny_model("llama")
    lm, chat = LM(model, {}), with_layout(max_length=500)
    for text in TEXTS:
        nll, num_tokens = nll_of_expected(lm, chat, document(text))
        ids = torch.tensor([[separator_of(chat), *own_ids(text)]])
        with torch.no_grad():
            true = model(input_ids=ids, labels=ids).loss  # the mean over all but the first
        assert num_tokens == ids.shape[1] - 1
        assert nll / num_tokens == pytest.approx(float(true), rel=1e-5)


def test_a_separator_that_is_no_token_is_refused() -> None:
    with pytest.raises(DataError, match="'<end>' is no token"):
        separator_of(with_layout(separator="<end>"))
