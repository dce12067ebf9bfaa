"""TRL's rendering of the 40 conversations against ours: tokens and what is learned, every difference named.

TRL (assistant_only_loss) renders with a training template of its own, whose `{% generation %}` marks say
what is learned; ours is made with the family's plain template on the same tokenizer. Each answer is compared
as (context, what is learned). A reason is a change of exactly one kind that is made to TRL's side, or to
ours; the fewest changes after which both sides are alike are the reasons. What none of them makes alike is
UNEXPLAINED. Not covered: the checkpoints' own vocabularies, TRL's templates for images."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from answer_conversations import CONVERSATIONS, FURTHER, Conversation
from finewright.errors import DataError
from finewright.lm.batch import Encoded
from finewright.lm.chat import Chat
from finewright.lm.encode import encode_turns
from finewright.lm.marks import THOUGHT_KEYS
from finewright.lm.template import _with_argument_texts
from finewright.render.text import table
from finewright.schema.rows import Row

Message = Mapping[str, Any]  # Any: free JSON
SAME, UNEXPLAINED = "same", "UNEXPLAINED"
NULL = "TRL fails on a null content beside a call"
# A thought with its marks and what parts it from the answer, of Qwen, Gemma 4, gpt-oss and Muse.
THOUGHTS = re.compile(
    r"<think>(?P<a>.*?)</think>\n*"
    r"|<\|channel>thought\n(?P<b>.*?)<channel\|>"
    r"|<\|channel\|>analysis<\|message\|>(?P<c>.*?)<\|end\|>(?:<\|start\|>assistant)?"
    r"| to=self<\|message\|>(?P<d>.*?)<\|eom\|><\|start\|>assistant",
    re.DOTALL,
)
DAY = re.compile(r"\d{4}-\d\d-\d\d|\d\d \w{3} \d{4}")


class Learned(NamedTuple):
    """An answer as one side trains it: the text before it, what is learned, what follows unlearned."""

    context: str
    text: str
    tail: str = ""


class Pair(NamedTuple):
    """One answer by both sides, with our prompt's header, the thought it opens, and our last token."""

    ours: Learned
    trl: Learned
    header: str
    opened: str
    end: str

    @property
    def alike(self) -> bool:
        """Would both learn the same text after the same text?"""
        return self.ours[:2] == self.trl[:2]


# ---------------------------------------------------------------- reasons


def _header(pair: Pair) -> Pair:
    context, text, tail = pair.trl
    if not (text.startswith(pair.header) and pair.ours.context.startswith(context + pair.header)):
        return pair
    moved = Learned(context + pair.header, text.removeprefix(pair.header), tail)
    return pair._replace(trl=moved)


def _opening(pair: Pair) -> Pair:
    context, text, tail = pair.trl
    if not pair.opened or not text.startswith(pair.opened):
        return pair
    return pair._replace(trl=Learned(context + pair.opened, text.removeprefix(pair.opened), tail))


def _header_newline(pair: Pair) -> Pair:
    context, text, tail = pair.trl
    if not (pair.header.endswith("\n") and text.startswith("\n")):
        return pair
    return pair._replace(trl=Learned(context + "\n", text[1:], tail))


def _unasked_header(pair: Pair) -> Pair:
    header = pair.trl.context.removeprefix(pair.ours.context)
    if not header or header == pair.trl.context or not pair.ours.text.startswith(header):
        return pair
    text = pair.ours.text.removeprefix(header)
    return pair._replace(ours=Learned(pair.trl.context, text, pair.ours.tail))


def _never_opened(pair: Pair) -> Pair:
    """Our close of the thought that the prompt opens, out of what is learned."""
    context, text, tail = pair.ours
    closed = re.match(r"\s*</think>", text)
    if not pair.opened or not closed or not context.endswith(pair.opened):
        return pair
    rest = text[closed.end() :]
    left = next((r for r in (rest, rest.lstrip("\n")) if pair.trl.text.endswith(r)), rest)
    return pair._replace(ours=Learned(context.removesuffix(pair.opened), left, tail))


def _lost_thought(pair: Pair) -> Pair:
    context, text, tail = pair.ours
    thought, closed, rest = text.partition("</think>")
    if pair.opened and closed and thought.strip() and thought.strip() not in pair.trl.text:
        left = next((r for r in (rest, rest.lstrip("\n")) if pair.trl.text.endswith(r)), rest)
        ours = Learned(context.removesuffix(pair.opened), left, tail)
        return pair._replace(ours=ours)
    found = THOUGHTS.search(text)
    words = "".join(part or "" for part in found.groups()).strip() if found else ""
    if not found or not words or words in pair.trl.text:
        return pair
    left = text[: found.start()] + text[found.end() :]
    return pair._replace(ours=Learned(context, left, tail))


def _thought_as_text(pair: Pair) -> Pair:
    """The marked thought of a content, out of TRL's answer, where ours has it in the template's own place."""
    text = _without_thoughts(_without_thoughts(pair.trl.text, empty=True), empty=False)
    blind = pair._replace(trl=pair.trl._replace(text=text))
    changed = _lost_thought(blind)
    return pair if changed == blind or "<think>" not in pair.trl.text else changed


def _other_end(pair: Pair) -> Pair:
    text = pair.trl.text
    ends = re.search(r"<\|[a-z]+\|>$", text)
    if ends is None or text.endswith(pair.end):
        return pair
    return pair._replace(trl=pair.trl._replace(text=text[: ends.start()] + pair.end))


def _no_end(pair: Pair) -> Pair:
    """An end that the template writes behind the last answer alone."""
    if pair.trl.text + pair.end != pair.ours.text or pair.end in pair.trl.tail[: len(pair.end)]:
        return pair
    return pair._replace(trl=pair.trl._replace(text=pair.ours.text))


def _newline(pair: Pair) -> Pair:
    text = pair.trl.text
    return pair._replace(trl=pair.trl._replace(text=text.removesuffix("\n")))


def _end(pair: Pair) -> Pair:
    context, text, tail = pair.trl
    if not tail.startswith(pair.end):
        return pair
    return pair._replace(trl=Learned(context, text + pair.end, tail.removeprefix(pair.end)))


def _null(pair: Pair) -> Pair:
    changed = (re.sub(r"\n?None(?=\s*<tool_call>)", "", side) for side in pair.trl)
    return pair._replace(trl=Learned(*changed))


def _day(pair: Pair) -> Pair:
    days = DAY.findall(pair.ours.context)
    context = pair.trl.context
    for ours, theirs in zip(days, DAY.findall(context), strict=False):
        context = context.replace(theirs, ours, 1)
    return pair._replace(trl=pair.trl._replace(context=context))


def _without_thoughts(text: str, *, empty: bool) -> str:
    def left(found: re.Match[str]) -> str:
        is_empty = not "".join(part or "" for part in found.groups()).strip()
        return "" if is_empty == empty else found[0]

    return THOUGHTS.sub(left, text)


def _earlier(pair: Pair, *, empty: bool) -> Pair:
    """Earlier thoughts out of both contexts; the thought that our prompt opens is not closed there."""
    ours, trl = (_without_thoughts(side.context, empty=empty) for side in (pair.ours, pair.trl))
    return pair._replace(ours=pair.ours._replace(context=ours), trl=pair.trl._replace(context=trl))


def _empty_thought(pair: Pair) -> Pair:
    text = _without_thoughts(pair.trl.text, empty=True)
    return pair._replace(trl=pair.trl._replace(text=text))


REASONS: dict[str, Callable[[Pair], Pair]] = {
    "TRL names today's date": _day,
    "TRL writes None for a null content": _null,
    "TRL keeps earlier thoughts": lambda pair: _earlier(pair, empty=False),
    "TRL writes empty thoughts into earlier answers": lambda pair: _earlier(pair, empty=True),
    "TRL does not learn the end of turn": _end,
    "TRL learns another end of turn than ours": _other_end,
    "TRL learns no end behind an earlier answer": _no_end,
    "TRL learns the newline behind the end": _newline,
    "TRL learns the header": _header,
    "TRL learns the newline of the header": _header_newline,
    "ours learns the header, as the prompt does not give it": _unasked_header,
    "TRL learns the mark that opens a thought, which the prompt gives": _opening,
    "TRL learns an empty thought": _empty_thought,
    "TRL learns no end of the thought that the prompt opens": _never_opened,
    "TRL loses the thought": _lost_thought,
    "TRL learns the thought of a content as its text": _thought_as_text,
}


def reasons_of(pair: Pair) -> tuple[str, ...]:
    """The fewest reasons after which both sides are alike; UNEXPLAINED if there are none."""
    for count in range(len(REASONS) + 1):
        for names in combinations(REASONS, count):
            changed = pair
            for name in names:
                changed = REASONS[name](changed)
            if changed.alike:
                return names
    return (UNEXPLAINED,)


# ---------------------------------------------------------------- both sides


class Trained(NamedTuple):
    """What TRL trains of a conversation: ids and mask, and the spans of its answers in the text."""

    ids: Sequence[int]
    mask: Sequence[int]
    text: str
    spans: Sequence[tuple[int, int]]
    failed: str = ""


def trained_by_trl(chat: Chat, conversation: Conversation, template: str) -> Trained | str:
    """TRL's tokens and mask by its training template, or why that renders nothing.

    A row's messages as they are; where the template fails, with arguments as text (DeepSeek joins them to
    one), and at last with an empty text for the null beside a call."""
    given = [_as_given(message) for message in conversation.messages]
    tools = list(conversation.tools) if conversation.tools else None
    failed = ""
    for spoken in (given, [{**m, "content": m["content"] or ""} for m in given]):
        for messages in (spoken, [_with_argument_texts(message) for message in spoken]):
            try:
                return _trained(chat, messages, tools, template)._replace(failed=failed)
            except (TemplateError, TypeError) as error:
                refusal = error
        failed = NULL
    return f"TRL's template refuses it: {re.sub('[^a-zA-Z ]', ' ', str(refusal))[:40].strip()}"


def _as_given(message: Message) -> dict[str, Any]:
    """A row's message, the arguments of its calls as objects."""
    given = {key: value for key, value in message.items() if key != "weight"}
    if "tool_calls" in message:
        given["tool_calls"] = [_with_object(call) for call in message["tool_calls"]]
    return given


def _with_object(call: Message) -> dict[str, Any]:
    function = call["function"]
    arguments = function["arguments"]
    arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
    return {**call, "function": {**function, "arguments": arguments}}


def _trained(
    chat: Chat, messages: list[dict[str, Any]], tools: list[Any] | None, template: str
) -> Trained:
    options = {"chat_template": template, "return_assistant_tokens_mask": True}
    batch = chat.tokenizer.apply_chat_template(messages, tools=tools, return_dict=True, **options)
    texts, spans = render_jinja_template(
        [messages], tools=tools, **options, **chat.tokenizer.special_tokens_map
    )
    joined: list[tuple[int, int]] = []
    for start, end in spans[0]:
        if joined and start == joined[-1][1]:  # one answer, marked in parts
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    if len(joined) > sum(message["role"] == "assistant" for message in messages):
        joined = [(start, end) for start, end in joined if start < end]
    return Trained(batch["input_ids"], batch["assistant_masks"], texts[0], joined)


def compared(chat: Chat, conversation: Conversation, template: str) -> tuple[str, ...]:
    """Why TRL's tokens or its mask differ from ours; `same` alone where they do not."""
    trl = trained_by_trl(chat, conversation, template)
    row = Row("r", tuple(conversation.messages), conversation.tools, "rows.jsonl", 1)
    try:
        ours = encode_turns(chat, row)
    except DataError as error:
        if isinstance(trl, str):
            return ("both refuse it",)
        return _refused(chat, conversation, trl, error)
    if isinstance(trl, str):
        return (trl,)
    (first, *rest) = ours
    if (
        not rest
        and tuple(trl.ids) == first.input_ids
        and tuple(map(bool, trl.mask)) == first.trained
    ):
        return (SAME,)
    return tuple(dict.fromkeys(_differences(chat, conversation, ours, trl))) or (UNEXPLAINED,)


def _refused(
    chat: Chat, conversation: Conversation, trl: Trained, error: DataError
) -> tuple[str, ...]:
    """What TRL loses of a conversation that ours refuses."""
    learned = "".join(trl.text[start:end] for start, end in trl.spans)
    answers = [m for m in conversation.messages if m["role"] == "assistant"]
    thoughts = [m[key].strip() for m in answers for key in THOUGHT_KEYS if m.get(key)]
    calls = [c["function"]["name"] for m in answers for c in m.get("tool_calls", ())]
    tools = [t["function"]["description"] for t in conversation.tools or ()]
    texts = [str(m["content"] or "").strip() for m in answers if m.get("tool_calls")]
    lost = {
        "the thought": any(thought not in learned for thought in thoughts),
        "the call": any(name not in learned for name in calls),
        "the tools": any(text not in trl.text for text in tools),
        "the text beside the call": any(text not in learned for text in texts),
    }
    found = tuple(f"ours refuses it: TRL loses {what}" for what, is_lost in lost.items() if is_lost)
    if found:
        return found
    for number in (i for i, m in enumerate(conversation.messages) if m["role"] == "assistant"):
        asked = chat.render(conversation.messages[:number], tools=conversation.tools, ask=True)
        if not trl.text.startswith(asked):
            return ("ours refuses it: TRL learns an answer that does not begin as asked",)
    return (UNEXPLAINED,)


def _differences(
    chat: Chat, conversation: Conversation, ours: Sequence[Encoded], trl: Trained
) -> Iterator[str]:
    answers = [i for i, m in enumerate(conversation.messages) if m["role"] == "assistant"]
    if len(trl.spans) != len(answers):
        yield UNEXPLAINED
        return
    if trl.failed:
        yield trl.failed
    if len(ours) > 1:
        yield "several sequences of ours against one of TRL's"
    for i, span in zip(answers, trl.spans, strict=True):
        if not conversation.messages[i].get("weight", 1):
            yield "TRL learns an answer of weight 0"
            continue
        sequence, start, end = _run(chat, conversation, i, ours)
        yield from reasons_of(_pair(chat, conversation, sequence, (start, end), trl, span))
        yield from _token_reasons(chat, sequence)
    texts = [chat.tokenizer.decode(sequence.input_ids) for sequence in ours]
    last = max(texts, key=len)
    if trl.text.endswith(tuple(trl.text.partition(last)[2:])) and trl.text.partition(last)[2]:
        yield "TRL reads on behind the last answer"


def _run(
    chat: Chat, conversation: Conversation, i: int, ours: Sequence[Encoded]
) -> tuple[Encoded, int, int]:
    """Where an answer is learned: the one sequence that goes on from what is asked."""
    asked = chat.encode_prompt(conversation.messages[:i], tools=conversation.tools)
    n = len(asked)
    (sequence,) = (
        s for s in ours if s.input_ids[:n] == asked and s.num_tokens > n and s.trained[n]
    )
    end = next((t for t in range(n, sequence.num_tokens) if not sequence.trained[t]), None)
    return sequence, n, end or sequence.num_tokens


def _pair(
    chat: Chat,
    conversation: Conversation,
    sequence: Encoded,
    run: tuple[int, int],
    trl: Trained,
    span: tuple[int, int],
) -> Pair:
    start, end = run
    decode, ids = chat.tokenizer.decode, sequence.input_ids
    ours = Learned(decode(ids[:start]), decode(ids[start:end]), decode(ids[end:]))
    theirs = Learned(trl.text[: span[0]], trl.text[span[0] : span[1]], trl.text[span[1] :])
    i = _number(chat, conversation, ours.context)
    plain = chat.render(conversation.messages[:i], tools=conversation.tools)
    header = ours.context.removeprefix(plain)
    opened = re.search(r"<think>\s*$", header)
    header, opened_by = (header[: opened.start()], opened[0]) if opened else (header, "")
    return Pair(ours, theirs, header, opened_by, decode(ids[end - 1]))


def _number(chat: Chat, conversation: Conversation, context: str) -> int:
    return next(
        i
        for i, m in enumerate(conversation.messages)
        if m["role"] == "assistant"
        and chat.render(conversation.messages[:i], tools=conversation.tools, ask=True) == context
    )


def _token_reasons(chat: Chat, sequence: Encoded) -> Iterator[str]:
    """Why our tokens are not those of our text, as TRL would tokenise it."""
    decode, ids = chat.tokenizer.decode, list(sequence.input_ids)
    batch = chat.tokenizer(decode(ids), add_special_tokens=False, return_offsets_mapping=True)
    plain = batch["input_ids"]
    if plain == ids:
        return
    controls = set(chat.tokenizer.get_added_vocab().values())
    if sum(t in controls for t in plain) > sum(t in controls for t in ids):
        yield "TRL reads control tokens that a text spells as control tokens"
        return
    learned = sequence.trained
    starts = [t for t, is_learned in enumerate(learned) if is_learned and not learned[t - 1]]
    cuts = [len(decode(ids[:start])) for start in starts]
    if any(a < cut < b for a, b in batch["offset_mapping"] for cut in cuts):
        yield "ours cuts a token where the answer begins, as it is asked"
        return
    yield UNEXPLAINED


# ---------------------------------------------------------------- the report


def compare_with_trl(folder: Path, only: str, chat_of: Callable[[str], Chat], *, show: bool) -> int:
    """Print a line for each family that has a training template; the conversations left unexplained."""
    total: Counter[str] = Counter()
    lines, cells = [], 0
    for path in sorted(folder.glob("*_training.jinja")):
        family = path.stem.removesuffix("_training")
        if only not in family:
            continue
        try:
            chat = chat_of((folder / f"{family}.jinja").read_text(encoding="utf-8"))
        except DataError as error:
            print(f"{family}: not compared: {error}")
            continue
        found = {
            conversation.title: compared(chat, conversation, path.read_text(encoding="utf-8"))
            for conversation in (*CONVERSATIONS, *FURTHER)
        }
        for title, reasons in found.items():
            if show or UNEXPLAINED in reasons:
                print(f"{family}: {title}: {'; '.join(reasons)}")
        counts = Counter(reason for reasons in found.values() for reason in reasons)
        total += counts
        cells += len(found)
        differ = len(found) - counts[SAME] - counts[UNEXPLAINED]
        lines.append([family, str(counts[SAME]), str(differ), str(counts[UNEXPLAINED])])
        print(_by_reason(family, counts))
    print()
    print(table(["family", "same", "explained", "unexplained"], lines))
    print()
    print(_by_reason(f"{len(lines)} families, {cells} conversations", total))
    return total[UNEXPLAINED]


def _by_reason(title: str, counts: Counter[str]) -> str:
    named = [f"{number:6} {reason}" for reason, number in counts.most_common()]
    return "\n".join([title, *named])
