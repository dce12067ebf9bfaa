"""Of every family: its renderings as fixed texts, and its masks over random conversations."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from families.families import FAMILIES, HERE, chat, template, tokenizer
from finewright.catalog.tokens import control_tokens
from finewright.errors import DataError
from finewright.lm.chat import Message, Rendered
from finewright.lm.encode import encode_row, encode_turns
from finewright.lm.example import EncodedRow
from finewright.schema.rows import Row

pytestmark = pytest.mark.torch

Json = dict[str, Any]
OPENS_A_THOUGHT = ("deepseek_r1", "deepseek_r1_distill")
NEWLINE = "\n"
ONE_ROUND = ("deepseek_r1", "deepseek_v3")
every_family = pytest.mark.parametrize("name", FAMILIES)
some_conversations = settings(max_examples=12)

# ---------------------------------------------------------------- fixed renderings

CITY: Json = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER: Json = {
    "type": "function",
    "function": {"name": "weather", "description": "Weather of a city", "parameters": CITY},
}


def says(role: str, content: str | None, **rest: object) -> Json:
    return {"role": role, "content": content, **rest}


def call(name: str, arguments: object, number: str = "a1b2c3d4e") -> Json:
    return {"id": number, "type": "function", "function": {"name": name, "arguments": arguments}}


def looks_up(*, thought: str = "", number: str = "a1b2c3d4e") -> list[Json]:
    """The arguments are JSON text, as OpenAI's API has them."""
    calls = [call("weather", '{"city":"Paris"}', number)]
    return [
        says("user", "Weather in Paris?"),
        says("assistant", f"<think>\n{thought}\n</think>" if thought else None, tool_calls=calls),
        says("tool", "18 degrees", tool_call_id=number),
    ]


class Case(NamedTuple):
    """A conversation that the rendering files refer to."""

    messages: Sequence[Message]
    tools: tuple[Json, ...] | None = None


SUM = [says("user", "What is 1+1?"), says("assistant", "2.")]
BRIEF = says("system", "Be brief.")
WARM = says("assistant", "It is 18 degrees.")
CASES = {
    "single": Case(SUM),
    "multi": Case(
        [
            *(says("user", "Hi"), says("assistant", "Hello!")),
            *(says("user", "Bye"), says("assistant", "Ciao.")),
        ]
    ),
    "system": Case([BRIEF, *SUM]),
    "thoughts": Case(
        [
            *(says("user", "Hi"), says("assistant", "<think>\nshort\n</think>\n\nHello!")),
            *(says("user", "Bye"), says("assistant", "<think>\nfarewell\n</think>\n\nCiao.")),
        ]
    ),
    "thoughts as reasoning_content": Case(
        [SUM[0], says("assistant", "2.", reasoning_content="count")]
    ),
    "tools": Case([*looks_up(), WARM], (WEATHER,)),
    "tools with a system prompt": Case([BRIEF, *looks_up(), WARM], (WEATHER,)),
    "tools that the system prompt names": Case([*looks_up(), WARM]),
    "tools and thoughts": Case(
        [
            *looks_up(thought="look"),
            says("assistant", "<think>\nread\n</think>\n\nIt is 18 degrees."),
        ],
        (WEATHER,),
    ),
    "tools, then another question": Case(
        [*looks_up(), WARM, says("user", "Thanks!"), says("assistant", "Any time.")], (WEATHER,)
    ),
    "tool id of another length": Case([*looks_up(number="call_1"), WARM], (WEATHER,)),
    "a tool call at the end": Case(looks_up()[:2]),
}


def fixed_renderings() -> Iterator[Any]:
    for name in FAMILIES:
        text = (HERE / "renderings" / f"{name}.txt").read_text(encoding="utf-8")
        _, *sections = re.split(r"^---- (.*)\n", text, flags=re.MULTILINE)
        for case, body in zip(sections[::2], sections[1::2], strict=True):
            yield pytest.param(name, CASES[case], body.removesuffix("\n"), id=f"{name}: {case}")


def row_of(messages: Sequence[Message], tools: tuple[Json, ...] | None = None) -> Row:
    return Row("r", tuple(dict(m) for m in messages), tools, "rows.jsonl", 1)


APART = "\n.... and apart from it\n"


def with_learned_marked(name: str, case: Case) -> str:
    """The rendering with «» around what the row's tokens learn, sequence after sequence; blanks that a mark
    swallows are put after."""
    rows = encode_turns(chat(name), row_of(case.messages, case.tools))
    found = chat(name).sequences(case.messages, case.tools)
    return APART.join(_marked(name, row, one) for row, one in zip(rows, found, strict=True))


def _marked(name: str, row: EncodedRow, rendered: Rendered) -> str:
    ids, offsets = chat(name).tokens(rendered)
    assert tuple(ids) == row.input_ids
    text = rendered.text
    learned = [False] * (len(text) + 2)  # one before and one after: learned[k + 1] is character k
    for trained, (start, end) in zip(row.trained, offsets, strict=True):
        learned[start + 1 : end + 1] = [trained] * (end - start)
    marks = {(False, True): "«", (True, False): "»"}
    borders = (marks.get(pair, "") for pair in pairwise(learned))
    marked = "".join(border + char for border, char in zip(borders, [*text, ""], strict=True))
    return re.sub(r"(\s+)»", r"»\1", marked)


@pytest.mark.parametrize(("name", "case", "expected"), list(fixed_renderings()))
def test_a_conversation_is_rendered_and_learned_as_written_down(
    name: str, case: Case, expected: str
) -> None:
    try:
        found = with_learned_marked(name, case)
    except DataError as error:
        found = f"refused: {error}"
    assert found == expected


@every_family
def test_every_family_has_its_single_turn_multi_turn_and_tools_written_down(name: str) -> None:
    text = (HERE / "renderings" / f"{name}.txt").read_text(encoding="utf-8")
    needed = {"system", "tools"} if name != "mistral_small" else {"system"}
    assert needed <= set(re.findall(r"^---- (.*)$", text, flags=re.MULTILINE))


# ---------------------------------------------------------------- declared tokens


@every_family
def test_the_end_of_turn_is_found_and_stops_generation(name: str) -> None:
    family, found = FAMILIES[name], chat(name)
    assert [found.tokenizer.decode([t]) for t in found.end_of_turn] == [family.end_of_turn]
    assert family.end_of_turn in family.eos_ids
    assert found.stop_ids >= found.end_of_turn


@every_family
def test_a_tokenizer_that_adds_a_bos_does_not_double_that_of_the_template(name: str) -> None:
    family = FAMILIES[name]
    messages = CASES["system" if name == "mistral_small" else "single"].messages
    ids = encode_row(chat(name), row_of(messages)).input_ids
    bos = tokenizer(name).convert_tokens_to_ids(family.bos) if family.bos else None
    written = "bos_token" in template(name)
    assert [token == bos for token in ids[:2]] == [written, False]
    added = tokenizer(name)("Hi")["input_ids"][0] == bos
    assert added == family.adds_bos


@pytest.mark.parametrize("name", ["llama3_2", "mistral_small"])
def test_a_rendering_is_the_same_every_day(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.utils import chat_template_utils

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Later":
            return cls(2031, 1, 2)

    first = chat(name).render(SUM)
    monkeypatch.setattr(chat_template_utils, "datetime", Later)
    assert chat(name).render(SUM) == first
    assert re.search(r"26 Jul 2024|2024-07-26", first)
    by_itself = tokenizer(name).apply_chat_template(SUM, tokenize=False)
    assert re.search(r"02 Jan 2031|2031-01-02", by_itself)


# ---------------------------------------------------------------- random conversations

_PIECES = st.sampled_from(
    [
        *(
            "user",
            "assistant\n",
            "model\n",
            "\n",
            " ",
            "\t",
            "Q: 1+1?",
            "don't",
            "12",
            "🙂",
            "#",
            ">",
        ),
        *(
            "👩\u200d🔬",
            "é",
            "e\u0301",
            "日本語",
            "مرحبا",
            "\u00a0",
            "[INST",
            "<end_of_",
            "im_end|>",
            "{{ x }}",
            "None",
            "\u2028",
        ),
    ]
)
texts = st.lists(_PIECES, max_size=6).map("".join)
# What no content may become, but what an assistant may write: its thoughts and calls.
_CONTROLS = sorted(
    text for text in control_tokens().spellings - control_tokens().answers if "{n}" not in text
)


def spiced(name: str) -> st.SearchStrategy[str]:
    """Texts, some with control tokens in them, the family's own and others'."""
    control = st.one_of(st.sampled_from(FAMILIES[name].marks), st.sampled_from(_CONTROLS))
    return st.one_of(texts, st.lists(st.one_of(_PIECES, control), max_size=5).map("".join))


class Talk(NamedTuple):
    """A random conversation, and of each learned turn what the family must make of it."""

    messages: list[Json]
    expected: list[str]
    tools: tuple[Json, ...] | None = None


def as_rendered(name: str, content: str, thought: str) -> str:
    """An answer as it is given, in the family's words, without its end-of-turn: from the families'
    documentation."""
    if name == "qwen3":
        return f"<think>\n{thought}\n</think>\n\n{content.lstrip(NEWLINE)}"
    if name in OPENS_A_THOUGHT:  # the generation prompt has the first <think>
        closed = f"{thought}\n</think>" if thought else "</think>"
        return f"{closed}\n\n{content.lstrip(NEWLINE)}"
    return content


@st.composite
def talks(draw: st.DrawFn, name: str, *, plain: bool = False) -> Talk:
    """[system], then user and assistant in turn; some answers are only read, some have a thought.

    Unless `plain`, control tokens are spelled anywhere."""
    contents = texts if plain else spiced(name)
    thinks = name in ("qwen3", *OPENS_A_THOUGHT)
    count = draw(st.integers(1, 3))
    messages: list[Json] = []
    expected: list[str] = []
    if name == "mistral_small" or (FAMILIES[name].system and draw(st.booleans())):
        messages.append(says("system", draw(contents)))
    for number in range(count):
        last = number == count - 1
        content, weight = (
            draw(contents),
            draw(st.sampled_from([1, 1, 0]) if not last else st.just(1)),
        )
        thought = draw(st.sampled_from(["", "ab", "one\ntwo 🙂"])) if thinks else ""
        answer = f"<think>\n{thought}\n</think>\n\n{content}" if thought else content
        messages += [
            says("user", draw(contents)),
            says("assistant", answer, **({} if weight else {"weight": 0})),
        ]
        if weight:
            expected.append(as_rendered(name, content, thought))
    return Talk(messages, expected)


def learned_runs(name: str, talk: Talk) -> list[str]:
    """The text of each unbroken run of learned tokens, sequence after sequence."""
    rows = encode_turns(chat(name), row_of(talk.messages, talk.tools))
    return [run for row in rows for run in runs_of(name, row.input_ids, row.trained)]


def runs_of(name: str, ids: Sequence[int], learned: Sequence[object]) -> list[str]:
    pairs = zip(ids, learned, strict=True)
    runs = [[i for i, _ in run] for trained, run in groupby(pairs, lambda p: p[1]) if trained]
    return [tokenizer(name).decode(run) for run in runs]


def squeezed(text: str) -> str:
    """Without outer blanks, which templates and the marks of Phi swallow; SentencePiece's is one, too."""
    return re.sub(r"[\s▁]+", " ", text).strip()


def assert_runs_are(name: str, runs: Sequence[str], expected: Sequence[str]) -> None:
    end = FAMILIES[name].end_of_turn
    assert all(run.endswith(end) for run in runs)
    assert [squeezed(run.removesuffix(end)) for run in runs] == list(map(squeezed, expected))


@every_family
@some_conversations
@given(data=st.data())
def test_each_answer_is_learned_through_its_end_of_turn_and_nothing_else_is(
    name: str, data: st.DataObject
) -> None:
    talk = data.draw(talks(name))
    assert_runs_are(name, learned_runs(name, talk), talk.expected)


@every_family
@some_conversations
@given(data=st.data())
def test_what_is_learned_stands_behind_what_is_asked_for_it(name: str, data: st.DataObject) -> None:
    """By the tokens: of each answer, those of its prompt are read, and the next one is its first."""
    talk = data.draw(talks(name))
    rows = encode_turns(chat(name), row_of(talk.messages))
    learned = [
        i for i, m in enumerate(talk.messages) if m["role"] == "assistant" and m.get("weight", 1)
    ]
    begun = []
    for i in learned:
        prompt = chat(name).encode_prompt(talk.messages[:i])
        n = len(prompt)
        begun += [
            (i, k)
            for k, row in enumerate(rows)
            if row.input_ids[:n] == prompt and row.trained[n] and not row.trained[n - 1]
        ]
    assert [i for i, _ in begun] == learned
    runs = [runs_of(name, row.input_ids, row.trained) for row in rows]
    assert sum(map(len, runs)) == len(learned)


# ---------------------------------------------------------------- random tool calls

names = st.sampled_from(["weather", "clock", "a_b", "größe"])


@st.composite
def tool_talks(draw: st.DrawFn, name: str) -> Talk:
    """Rounds of question, one or two calls, their results, and an answer; some turns are only read."""
    family = FAMILIES[name]
    arguments = st.dictionaries(names, st.one_of(st.integers(), spiced(name)), max_size=2)
    messages: list[Json] = [BRIEF] if name == "mistral_small" else []
    expected: list[str] = []
    rounds = 1 if name in ONE_ROUND else draw(st.integers(1, 2))
    for number in range(rounds):
        last = number == rounds - 1
        made = draw(st.lists(st.tuples(names, arguments), min_size=1, max_size=family.most_calls))
        beside = draw(st.sampled_from(["", "Let me see."])) if family.text_beside_calls else ""
        calls = [call(tool, json.dumps(given), f"id{k:07}") for k, (tool, given) in enumerate(made)]
        weights = draw(st.lists(st.sampled_from([0, 1]), min_size=2, max_size=2))
        if last:
            weights[1] = 1
        answer = draw(spiced(name))
        messages += [
            says("user", draw(spiced(name))),
            says("assistant", beside or None, tool_calls=calls, weight=weights[0]),
            *(says("tool", draw(spiced(name)), tool_call_id=c["id"]) for c in calls),
            says("assistant", answer, weight=weights[1]),
        ]
        if weights[0]:
            expected.append(call_as_rendered(name, beside, calls))
        if weights[1]:
            expected.append(answer if name in OPENS_A_THOUGHT else as_rendered(name, answer, ""))
    return Talk(messages, expected, None if "deepseek" in name else (WEATHER,))


def call_as_rendered(name: str, beside: str, calls: Sequence[Json]) -> str:
    family = FAMILIES[name]
    written = []
    for made in calls:
        function = made["function"]
        given = json.dumps(json.loads(function["arguments"]), ensure_ascii=False)
        written.append(family.call.format(name=function["name"], arguments=given, id=made["id"]))
    text = family.calls_open + family.calls_join.join(written) + family.calls_close
    said = f"{beside}\n{text}" if beside and "qwen" in name else beside + text
    return as_rendered(name, said, "")


@pytest.mark.parametrize("name", [name for name in FAMILIES if FAMILIES[name].call])
@some_conversations
@given(data=st.data())
def test_tool_calls_are_learned_whole_and_their_results_are_not(
    name: str, data: st.DataObject
) -> None:
    talk = data.draw(tool_talks(name))
    if any(m.get("weight", 1) for m in talk.messages):
        assert_runs_are(name, learned_runs(name, talk), talk.expected)


@pytest.mark.parametrize("name", [name for name in FAMILIES if not FAMILIES[name].call])
def test_a_call_that_the_template_has_no_words_for_is_never_learned_as_an_empty_turn(
    name: str,
) -> None:
    for messages in (looks_up()[:2], [*looks_up(), WARM]):
        with pytest.raises(
            DataError, match=r"leaves out a tool call|must alternate|roles are supp"
        ):
            chat(name).render_learned(messages)
    with pytest.raises(DataError, match="leaves out the tools") as refused:
        chat(name).render_learned(SUM, (WEATHER,))
    assert refused.value.hint.startswith("take a base model whose chat template knows tools")


def test_a_thought_that_later_prompts_drop_is_learned_where_it_was_thought() -> None:
    """Qwen 3 drops the thoughts of a finished loop of calls, so every answer is a sequence of its own."""
    turn = [says("user", "Thanks!"), says("assistant", "Any time.")]
    messages = [*looks_up(thought="look"), *looks_up()[1:], WARM, *turn]
    runs = learned_runs("qwen3", Talk(messages, [], (WEATHER,)))
    empty, end = "<think>\n\n</think>\n\n", "<|im_end|>"
    called = '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>'
    assert sorted(runs) == sorted(
        [
            f"<think>\nlook\n</think>\n\n{called}{end}",
            f"{empty}{called}{end}",
            f"{empty}It is 18 degrees.{end}",
            f"{empty}Any time.{end}",
        ]
    )


@pytest.mark.parametrize("name", ONE_ROUND)
def test_a_second_round_of_calls_is_refused_where_the_template_writes_it_wrong(name: str) -> None:
    """DeepSeek's template never resets `is_first`: the second round gets neither header nor opening."""
    with pytest.raises(DataError, match=r"messages\[5\]: the chat template begins this"):
        chat(name).render_learned([*looks_up(), WARM, *looks_up(), WARM])


# ---------------------------------------------------------------- a referee: {% generation %} marks


@pytest.mark.parametrize("name", sorted(path.stem for path in (HERE / "referees").glob("*.jinja")))
@some_conversations
@given(data=st.data())
def test_the_masks_are_those_of_a_template_with_generation_marks(
    name: str, data: st.DataObject
) -> None:
    talk = data.draw(talks(name, plain=True))
    messages = [{**m, "weight": 1} for m in talk.messages]
    # where a token would join the two, what is asked is cut from what is learned, and theirs is not
    assume(not any(m["content"][:1].isspace() for m in messages if m["role"] == "assistant"))
    marked = tokenizer(name).apply_chat_template(
        messages,
        chat_template=(HERE / "referees" / f"{name}.jinja").read_text(encoding="utf-8"),
        return_assistant_tokens_mask=True,
        return_dict=True,
    )
    row = encode_row(chat(name), row_of(messages))
    assert marked["input_ids"] == list(row.input_ids)
    end = FAMILIES[name].end_of_turn
    runs = runs_of(name, marked["input_ids"], marked["assistant_masks"])
    # their marks take in the header or the blank after it, and what follows the end-of-turn
    header = re.compile(r"^<.assistant.>", re.IGNORECASE)
    theirs = [header.sub("", run).rpartition(end)[0] + end for run in runs]
    ours = runs_of(name, row.input_ids, row.trained)
    assert list(map(squeezed, ours)) == list(map(squeezed, theirs))
