"""A text's surprise against a plain transformers forward."""

import pytest
import torch

import tiny
from finewright.lm.model import LM
from finewright.lm.surprisal import Continuation, surprises, text_before
from finewright.schema.rows import Row

pytestmark = pytest.mark.torch

TEXTS = [
    Continuation("What is the capital? ", "The capital is Rome."),
    Continuation("", "No question before this."),
    Continuation("Say something\n", "é🙂 ok"),
    Continuation("Nothing follows", ""),
]


def plain(model: torch.nn.Module, tokenizer: object, item: Continuation) -> list[tuple[str, float]]:
    """(characters of the text that a token covers, -ln p) by transformers alone."""
    batch = tokenizer(
        item.before + item.text, add_special_tokens=False, return_offsets_mapping=True
    )
    ids = torch.tensor([batch["input_ids"]])
    with torch.no_grad():
        logps = model(input_ids=ids).logits.float().log_softmax(-1)
    border = len(item.before)
    return [
        (item.text[max(0, a - border) : b - border], -float(logps[0, t - 1, ids[0, t]]))
        for t, (a, b) in enumerate(batch["offset_mapping"])
        if t and b > border
    ]


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_surprise_is_that_of_a_plain_forward(family: str) -> None:
    model = tiny.tiny_model(family).eval()
    tokenizer = tiny.tiny_tokenizer()
    found = dict(surprises(LM(model, {}), tokenizer, TEXTS))
    assert sorted(found) == [0, 1, 2, 3]
    for i, item in enumerate(TEXTS):
        expected = plain(model, tokenizer, item)
        assert [item.text[t.start : t.end] for t in found[i]] == [text for text, _ in expected]
        assert [t.nats for t in found[i]] == pytest.approx([n for _, n in expected], abs=2e-4)


def test_only_the_end_of_what_stands_before_and_the_beginning_of_the_text_are_read() -> None:
    lm, tokenizer = LM(tiny.tiny_model("llama").eval(), {}), tiny.tiny_tokenizer()
    ((_, long),) = surprises(lm, tokenizer, [Continuation("ab " * 2000, "cd " * 2000)])
    assert 0 < len(long) <= 768
    assert long[0].start == 0


def test_what_stands_before_an_answer_ends_where_it_begins() -> None:
    turns = ({"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"})
    row = Row("x", turns, None, "rows.jsonl", 1)
    chat = tiny.tiny_chat()
    assert chat.render(turns).startswith(text_before(chat, row, len(turns) - 1) + "A")
