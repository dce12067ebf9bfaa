"""Past its bound a thought is closed with the template's own mark, and the answer follows."""

from pathlib import Path

import pytest
import torch

import tiny
from families.families import HERE
from finewright.errors import DataError
from finewright.lm.answers.reader import reader_of
from finewright.lm.chat import Chat
from finewright.lm.generate import Sampling, generate, stream
from finewright.lm.model import LM
from finewright.lm.thoughts import Thoughts, make_thought_bound
from lm.answers.test_reader import TRL, chat_of

pytestmark = pytest.mark.torch

QUESTION = [{"role": "user", "content": "2 and 2?"}]
THINKING = ("deepseek_r1", "gemma4", "glm4moe", "gptoss", "lfm2_2_5", "muse_glimmer")
THINKING += ("nemotron_3_nano", "qwen3", "qwen3_5_think", "qwen3_8")
SILENT = ("llama3_1", "qwen2_5", "mistral_v3", "qwen3_2507")


def templates(name: str) -> Chat:
    return tokens_of(HERE / "templates" / f"{name}.jinja")


def tokens_of(path: Path) -> Chat:
    """The template with a tokenizer that spells: each byte is a token, and so are the marks."""
    tokenizer = tiny.tiny_tokenizer()
    tokenizer.chat_template = path.read_text(encoding="utf-8")
    marks = ["<think>", "</think>", "<|message|>", "<|channel|>", "<|end|>", "<|eom|>", "<|start|>"]
    tokenizer.add_tokens([*marks, "<channel|>", "<|channel>"], special_tokens=True)
    return Chat(tokenizer, frozenset({tokenizer.eos_token_id}))


def ids_of(chat: Chat, text: str) -> list[int]:
    return list(chat.tokenizer(text, add_special_tokens=False)["input_ids"])


def bounded(chat: Chat, most: int, said: str) -> tuple[str, bool]:
    """What is written of an answer that a model would give, and whether its thought was cut."""
    prompt = chat.encode_prompt(QUESTION)
    thoughts = Thoughts.after(make_thought_bound(chat, most), [prompt])
    written = [thoughts.choose_written(0, token) for token in ids_of(chat, said)]
    return reader_of(chat).text(chat, written), thoughts.is_cut(0)


@pytest.mark.parametrize("name", THINKING)
def test_a_thought_that_goes_on_is_closed_and_what_follows_is_the_answer(name: str) -> None:
    chat = templates(name)
    prompt = chat.prompt(QUESTION).text
    opens = "" if chat.marks.is_open else chat.marks.opens
    text, is_cut = bounded(chat, 12, opens + "x y z " * 20)
    assert is_cut
    read = reader_of(chat).read(text, prompt)
    assert (read.fault, len(ids_of(chat, read.thoughts)) <= 12) == ("", True)
    assert read.thoughts.startswith("x y z")
    assert chat.marks.closes in text


@pytest.mark.parametrize("name", THINKING)
def test_a_thought_within_its_bound_and_an_answer_without_one_stay_as_they_are(name: str) -> None:
    chat = templates(name)
    opens = "" if chat.marks.is_open else chat.marks.opens
    said = f"{opens}hm{chat.marks.closes}It is 4. " + "And so on. " * 20
    assert bounded(chat, 12, said) == (reader_of(chat).text(chat, ids_of(chat, said)), False)
    if not chat.marks.is_open:
        assert bounded(chat, 1, "It is 4, <think> or not.")[1] is False


@pytest.mark.parametrize("name", SILENT)
def test_a_template_without_thoughts_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="no place for thoughts"):
        make_thought_bound(templates(name), 8)


@pytest.mark.parametrize("path", sorted(TRL.glob("*.jinja")), ids=lambda path: path.stem)
def test_a_bound_is_of_what_is_read_back_or_refused(path: Path) -> None:
    chat = chat_of(path.read_text(encoding="utf-8"))
    try:
        bound = make_thought_bound(chat, 8)
    except DataError:
        return
    opens = chat.marks.opens or bound.pair.open
    read = reader_of(chat).read(f"{opens}hm{chat.marks.closes}4")
    assert (read.thoughts, read.content) == ("hm", "4")


def test_rows_of_a_batch_are_bounded_each_by_itself() -> None:
    """A random model that never closes a thought: the rows that the prompt lets think are cut."""
    torch.manual_seed(0)
    chat = templates("qwen3_5_think")
    model = tiny.tiny_model("llama")
    model.resize_token_embeddings(len(chat.tokenizer))
    lm = LM(model.eval(), {})
    thinks = chat.encode_prompt(QUESTION)
    prompts = [thinks, thinks[:-1] + tuple(ids_of(chat, "</think>")), thinks[:4] + thinks]
    bound = make_thought_bound(chat, 5)
    sampling = Sampling(max_new_tokens=24)
    free = generate(lm, prompts, stop_ids=frozenset(), sampling=sampling)
    thoughts = Thoughts.after(bound, prompts)
    found = generate(lm, prompts, stop_ids=frozenset(), sampling=sampling, thoughts=thoughts)
    assert [thoughts.is_cut(i) for i in range(3)] == [True, False, True]
    assert found[1] == free[1]
    for i in (0, 2):
        assert found[i].ids[:5] == free[i].ids[:5]
        assert found[i].ids[5 : 5 + len(bound.closing)] == bound.closing
        again = prompts[i] + found[i].ids[: 5 + len(bound.closing)]
        rest = Sampling(max_new_tokens=24 - 5 - len(bound.closing))
        (after,) = generate(lm, [again], stop_ids=frozenset(), sampling=rest)
        assert found[i].ids[5 + len(bound.closing) :] == after.ids
    alone = Thoughts.after(bound, [thinks])
    streamed = stream(lm, thinks, stop_ids=frozenset(), sampling=sampling, thoughts=alone)
    assert tuple(streamed) == found[0].ids


def test_each_row_has_a_limit_of_its_own() -> None:
    lm = LM(tiny.tiny_model("llama"), {})
    prompts = [row.input_ids for row in tiny.random_rows([9, 3, 5], seed=1)]
    sampling = Sampling(max_new_tokens=12)
    free = generate(lm, prompts, stop_ids=frozenset(), sampling=sampling)
    limits = [3, 40, 7]
    found = generate(lm, prompts, stop_ids=frozenset(), sampling=sampling, limits=limits)
    assert [each.ids for each in found] == [
        each.ids[:limit] for each, limit in zip(free, limits, strict=True)
    ]
    assert not any(each.stopped for each in found)
