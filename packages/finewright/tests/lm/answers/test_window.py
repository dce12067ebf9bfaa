"""The text of a window is the text of all tokens, whichever decoder reads them."""

from collections.abc import Sequence
from functools import cache, partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

import tiny
from finewright.lm.answers.stream import AnswerStream
from finewright.lm.answers.window import TextWindow, plain_text
from finewright.lm.chat import Chat, find_end_of_turn
from finewright.lm.engine.stops import StopTexts

pytestmark = pytest.mark.torch


@cache
def with_byte_fallback() -> PreTrainedTokenizerFast:
    """As Llama 2's and Gemma's: words with a mark for blanks, and bytes for what is no word."""
    words = ["<unk>", "▁a", "b", "▁", "é", "▁cd", "\n", "�"]
    vocab = {token: i for i, token in enumerate([*words, *(f"<0x{b:02X}>" for b in range(256))])}
    made = Tokenizer(models.BPE(vocab, [], unk_token=words[0], byte_fallback=True))
    made.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return PreTrainedTokenizerFast(tokenizer_object=made)


TOKENIZERS = {"bytes": cache(tiny.tiny_tokenizer), "fallback": with_byte_fallback}
# bytes of characters of one to four, of none, and words
OF_FALLBACK = [
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    *(8 + b for b in (0x41, 0xC3, 0xA9, 0xE2, 0x82, 0xAC, 0xF0, 0xFF)),
]
IDS = {
    "bytes": st.integers(3, tiny.VOCAB - 1),
    "fallback": st.sampled_from(OF_FALLBACK),
}


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_window_reads_what_all_tokens_say(name, data) -> None:
    tokenizer = TOKENIZERS[name]()
    ids = data.draw(st.lists(IDS[name], max_size=90))
    window = TextWindow(tokenizer)
    for end in range(1, len(ids) + 1):
        text = window.add([ids[end - 1]])
        assert text == tokenizer.decode(ids[:end], clean_up_tokenization_spaces=False)


def test_a_long_answer_is_decoded_in_short_windows(monkeypatch) -> None:
    tokenizer = tiny.tiny_tokenizer()
    lengths = list[int]()

    def counted(tokenizer: PreTrainedTokenizerFast, ids: Sequence[int]) -> str:
        lengths.append(len(ids))
        return plain_text(tokenizer, ids)

    monkeypatch.setattr("finewright.lm.answers.window.plain_text", counted)
    window = TextWindow(tokenizer)
    for token in tokenizer("the user asks " * 50)["input_ids"]:
        window.add([token])
    assert max(lengths) < 20
    assert len(lengths) > 100


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_a_stop_is_found_wherever_the_tokens_are_cut(cut: int) -> None:
    tokenizer = tiny.tiny_tokenizer()
    chat = Chat(tokenizer, find_end_of_turn(tokenizer, []))
    ids = tokenizer("the red door é and the end of it")["input_ids"]
    stops = StopTexts(("é and", "the end"), partial(plain_text, tokenizer))
    end = next(at for at in range(1, len(ids)) if stops.find(ids[:at]))
    assert plain_text(tokenizer, ids[:end]).endswith("é and")
    stream, shown = AnswerStream(chat, None, "", None, stops.texts), ""
    for at in range(0, end - 1, cut):
        shown += stream.add(ids[at : min(at + cut, end - 1)]).content
    assert shown + stream.end(ids[end - 1 : end], ended=True).content == "the red door "


def test_a_token_that_is_no_text_does_not_hide_a_stop() -> None:
    tokenizer = tiny.tiny_tokenizer()
    ids = tokenizer("the red door")["input_ids"]
    stops = StopTexts(("red",), partial(plain_text, tokenizer), frozenset({2}))
    assert stops.find([*ids[:4], *[2] * 60, *ids[4:]]) == "red"
