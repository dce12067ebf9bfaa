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
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from answer_conversations import CONVERSATIONS, FURTHER, Conversation
from answer_reasons import UNEXPLAINED, Learned, Pair, reasons_of
from finewright.errors import DataError
from finewright.lm.chat import Chat
from finewright.lm.encode import encode_turns
from finewright.lm.example import EncodedRow
from finewright.lm.marks import THOUGHT_KEYS
from finewright.lm.template import _with_argument_texts
from finewright.report.text import table
from finewright.schema.rows import Row

Message = Mapping[str, Any]  # Any: free JSON
SAME = "same"
NULL = "TRL fails on a null content beside a call"


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
    chat: Chat, conversation: Conversation, ours: Sequence[EncodedRow], trl: Trained
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
    chat: Chat, conversation: Conversation, i: int, ours: Sequence[EncodedRow]
) -> tuple[EncodedRow, int, int]:
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
    sequence: EncodedRow,
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


def _token_reasons(chat: Chat, sequence: EncodedRow) -> Iterator[str]:
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
