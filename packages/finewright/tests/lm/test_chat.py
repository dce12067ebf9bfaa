"""Which characters are learned of conversations and templates that are out of the ordinary."""

from collections.abc import Sequence
from itertools import groupby

import pytest

import tiny
from finewright.errors import DataError
from finewright.lm.chat import Chat, Message, find_end_of_turn
from finewright.lm.encode import encode_row, encode_turns
from finewright.lm.example import EncodedRow
from finewright.schema.rows import Row

pytestmark = pytest.mark.torch

every_template = pytest.mark.parametrize("template", tiny.TEMPLATES)


def row_of(messages: Sequence[Message]) -> Row:
    return Row("r", tuple(dict(m) for m in messages), None, "rows.jsonl", 1)


def learned_texts(chat: Chat, encoded: EncodedRow) -> list[str]:
    """The text of each unbroken run of learned tokens."""
    pairs = zip(encoded.input_ids, encoded.trained, strict=True)
    runs = [[i for i, _ in run] for trained, run in groupby(pairs, lambda p: p[1]) if trained]
    return [chat.tokenizer.decode(run) for run in runs]


def all_learned(chat: Chat, messages: Sequence[Message]) -> list[str]:
    """What is learned, sequence after sequence."""
    return [t for each in encode_turns(chat, row_of(messages)) for t in learned_texts(chat, each)]


def test_a_row_in_plain_sight() -> None:
    chat = tiny.tiny_chat("chatml")
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]
    rendered = chat.render_learned(messages)
    assert rendered.text == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
        "<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n"
    )
    assert learned_texts(chat, encode_row(chat, row_of(messages))) == ["Yo<|im_end|>"]


@every_template
def test_a_row_whose_answers_all_have_weight_0_is_refused(template: str) -> None:
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yo", "weight": 0},
    ]
    with pytest.raises(DataError, match="no token of this row would be learned"):
        encode_row(tiny.tiny_chat(template), row_of(messages))


@pytest.mark.parametrize("template", ["chatml", "llama3"])
def test_answers_in_a_row_are_learned_apart(template: str) -> None:
    chat, end = tiny.tiny_chat(template), tiny.END_OF_TURN[template]
    messages = [{"role": "assistant", "content": word} for word in ("one", "two")]
    learned = learned_texts(chat, encode_row(chat, row_of(messages)))
    assert learned == [f"one{end}", f"two{end}"]


@every_template
def test_an_answer_that_repeats_another_is_found_in_its_own_place(template: str) -> None:
    chat, end = tiny.tiny_chat(template), tiny.END_OF_TURN[template]
    turn = [{"role": "user", "content": "yes"}, {"role": "assistant", "content": "yes"}]
    messages = [*turn, *({**m, "weight": 0} for m in turn)]
    encoded = encode_row(chat, row_of(messages))
    learned = learned_texts(chat, encoded)
    said = "<think>\n\n</think>\n\nyes" if template == "qwen3" else "yes"
    assert [text.strip() for text in learned] == [f"{said}{end}"]
    alone = encode_row(chat, row_of(turn))
    assert encoded.trained.index(True) == alone.trained.index(True)


def test_an_answer_that_ends_a_turn_inside_is_learned_through_its_last_end() -> None:
    chat = tiny.tiny_chat("chatml")
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "a<|im_end|>b"},
        {"role": "user", "content": "<|im_start|>assistant\nnot mine<|im_end|>"},
        {"role": "assistant", "content": "c"},
    ]
    learned = learned_texts(chat, encode_row(chat, row_of(messages)))
    assert learned == ["a<|im_end|>b<|im_end|>", "c<|im_end|>"]


@pytest.mark.parametrize("template", ["gemma", "mistral"])
@pytest.mark.parametrize("roles", ["uu", "uaa", "a", "sa", "usa"])
def test_roles_out_of_order_are_refused_in_the_templates_words(template: str, roles: str) -> None:
    names = {"u": "user", "a": "assistant", "s": "system"}
    messages = [{"role": names[r], "content": "x"} for r in roles]
    with pytest.raises(DataError, match=r"refuses this conversation: .* must alternate user"):
        encode_row(tiny.tiny_chat(template), row_of(messages))


def test_the_declared_end_serves_where_the_template_writes_none() -> None:
    tokenizer = tiny.tiny_tokenizer("chatml")
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    )
    assert find_end_of_turn(tokenizer, [2, 7]) == {2, 7}


def test_an_answer_that_later_prompts_hide_is_learned_as_it_was_asked_for() -> None:
    chat = tiny.tiny_chat("chatml")
    chat.tokenizer.chat_template = (
        "{% for m in messages %}{% if loop.last or m['role'] == 'user' %}"
        "{{ m['content'] }}<|im_end|>{% endif %}{% endfor %}"
    )
    messages = [
        {"role": role, "content": content}
        for role, content in [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]
    ]
    first, second = encode_turns(chat, row_of(messages))
    texts = [chat.tokenizer.decode(each.input_ids) for each in (first, second)]
    assert texts == ["a<|im_end|>b<|im_end|>", "a<|im_end|>c<|im_end|>d<|im_end|>"]
    assert all_learned(chat, messages) == ["b<|im_end|>", "d<|im_end|>"]
    with pytest.raises(DataError, match="its answers are learned in 2 sequences"):
        encode_row(chat, row_of(messages))


def test_an_upper_casing_template_is_refused_rather_than_trained_on_the_wrong_characters() -> None:
    chat = tiny.tiny_chat("chatml")
    chat.tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] }} {{ m['content'] | replace('e', 'E') }}"
        "<|im_end|>{% endfor %}{{ 'assistant ' if add_generation_prompt }}"
    )
    question, answer = ({"role": r, "content": c} for r, c in [("user", "a"), ("assistant", "be")])
    with pytest.raises(DataError, match=r"messages\[1\]: the chat template changes the text of"):
        encode_row(chat, row_of([question, answer]))


@pytest.mark.parametrize("place", ["user", "assistant"])
def test_the_marks_of_the_search_may_be_in_the_data(place: str) -> None:
    chat, mark = tiny.tiny_chat("qwen3"), "left-mark\ue003right-mark\ue003"
    turn = [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]
    marked = [{**m, "content": mark if m["role"] == place else m["content"]} for m in turn]
    answer = mark if place == "assistant" else "a"
    empty = "<think>\n\n</think>\n\n"
    assert all_learned(chat, [*marked, *turn]) == [
        f"{empty}{answer}<|im_end|>",
        f"{empty}a<|im_end|>",
    ]


def test_a_template_whose_prompt_ends_the_conversation_is_refused() -> None:
    chat = tiny.tiny_chat("chatml")
    chat.tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}<|im_end|>"
    )
    turn = [{"role": "user", "content": "question"}, {"role": "assistant", "content": "answer"}]
    with pytest.raises(DataError, match=r"messages\[1\]: .* it is asked '<\|im_end\|>' and would"):
        chat.render_learned(turn)


def test_each_answer_is_learned_as_the_template_writes_it_when_it_is_asked() -> None:
    chat = tiny.tiny_chat("chatml")
    chat.tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
        "{% if m['role'] == 'assistant' %}{{ '(last) ' if loop.last else '(early) ' }}{% endif %}"
        "{{ m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    turn = [{"role": "user", "content": "question"}, {"role": "assistant", "content": "answer"}]
    assert all_learned(chat, [*turn, *turn]) == ["(last) answer<|im_end|>"] * 2


def test_a_call_whose_arguments_the_template_leaves_out_is_refused() -> None:
    chat = tiny.tiny_chat("chatml")
    chat.tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
        "{{ m.tool_calls[0].function.name if m.tool_calls else m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    turn = [{"role": "user", "content": "question"}, {"role": "assistant", "content": "answer"}]
    call = {"function": {"name": "clock", "arguments": {}}}
    called = {"role": "assistant", "content": None, "tool_calls": [call]}
    with pytest.raises(
        DataError, match=r"messages\[3\]: .* leaves out the arguments of a tool call"
    ):
        chat.render_learned([*turn, turn[0], called, *turn])


@pytest.mark.parametrize("calls", [None, []])
def test_no_calls_are_no_calls_however_they_are_written(calls: list[object] | None) -> None:
    chat = tiny.tiny_chat("chatml")
    chat.tokenizer.chat_template = (
        "{% for m in messages %}{{ 'calls' if 'tool_calls' in m else m['content'] }}{% endfor %}"
    )
    assert chat.render([{"role": "assistant", "content": "a", "tool_calls": calls}]) == "a"


def test_missing_content_renders_as_nothing() -> None:
    chat = tiny.tiny_chat("chatml")
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": None}]
    assert chat.render(messages).endswith("<|im_start|>assistant\n<|im_end|>\n")


def test_tools_reach_the_template() -> None:
    chat = tiny.tiny_chat("chatml")
    chat.tokenizer.chat_template = "{{ tools[0]['name'] if tools }}|" + tiny.TEMPLATES["chatml"]
    text = chat.render([{"role": "user", "content": "Hi"}], tools=[{"name": "clock"}])
    assert text.startswith("clock|<|im_start|>")
