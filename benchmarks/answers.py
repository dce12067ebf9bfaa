"""What is trained is what the template renders and what the model is asked: templates x 42 conversations.

    python benchmarks/answers.py --bars                 # exit 1 on a miss
    python benchmarks/answers.py --bars --more          # with those of llama.cpp's and vLLM's packages
    python benchmarks/answers.py --bars --packaged      # with the packaged models', which are fetched
    python benchmarks/answers.py --only gptoss --show   # every refusal, and every miss in full

Templates: TRL's folder (pip install trl) and those of the tests of families; with `--packaged` the packaged
models' and with `--more` those in the source archives of llama-cpp-python (77 MB) and vLLM (47 MB), by their
digests; these are only unpacked. Each gets a small byte-level tokenizer whose control tokens are those that
it spells.

For every learned answer of every conversation, by transformers' own rendering of the same messages:

    a  the ids of what is asked begin the trained ids, and what is learned begins there
    b  the last learned token is one at which generation stops
    c  every thought, text and call of the answer is in what is learned, and no thought that it has not
    d  what is asked and learned is what the template renders
    e  read back up to the first token that stops, it is the row's answer: content, thought and calls

A conversation that is refused is no miss, and its reason is named."""

# ruff: noqa: RUF001 - DeepSeek writes its marks with a wide bar

import argparse
import importlib.util
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from answer_archives import ARCHIVES
from answer_conversations import CONVERSATIONS, Conversation
from bars import Bar, finish, parser_of
from finewright.catalog.tokens import control_tokens
from finewright.errors import DataError
from finewright.judge.answer import split_thoughts
from finewright.lm.answers.reader import answer_of_tokens
from finewright.lm.chat import Chat, find_end_of_turn
from finewright.lm.encode import encode_rows, encode_turns
from finewright.lm.example import EncodedRow
from finewright.lm.marks import find_marks
from finewright.lm.template import ChatTemplate
from finewright.report.columns import table
from finewright.schema.rows import Row

HERE = Path(__file__).resolve().parent
# End tokens that the models' generation_config.json declares beside the one after an answer.
DECLARED = ("<|return|>", "<|call|>", "<|user|>", "<|observation|>", "<|tool_response>", "<turn|>")
TOKEN = re.compile(
    r"<\|[^<>|{}'\"\s]+\|?>|<[a-z_]+\|>|<｜[^<>｜{}'\"]+｜>|<end_of_\w+>|<[A-Z_]+\d*>|</?s>"
)
WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def main() -> int:
    options = parse()
    found = {
        name: [Cell(name, c.title, *verdict(chat, c)) for c in CONVERSATIONS] if chat else []
        for name, chat in chats(options)
    }
    cells = [cell for each in found.values() for cell in each]
    print(report(found))
    for cell in cells:
        if options.show and not cell.fine:
            print(f"{cell.template}: {cell.title}: {cell.refused or cell.misses}")
    misses = [cell for cell in cells if cell.misses]
    for cell in misses:
        print(f"MISS {cell.template}: {cell.title}: {'; '.join(cell.misses)}")
    return finish([Bar("cells that are wrong", len(misses), 0, True, f"of {len(cells)}")], options)


def parse() -> argparse.Namespace:
    parser = parser_of(__doc__)
    named = " and ".join(f"{archive.package} {archive.version}" for archive in ARCHIVES)
    parser.add_argument("--more", action="store_true", help=f"with the templates of {named}")
    parser.add_argument("--packaged", action="store_true", help="with the packaged models'")
    parser.add_argument("--only", default="", help="templates whose name has this in it")
    parser.add_argument("--show", action="store_true", help="every refusal")
    return parser.parse_args()


class Cell(NamedTuple):
    """One conversation under one template."""

    template: str
    title: str
    refused: str
    misses: tuple[str, ...]

    @property
    def fine(self) -> bool:
        """Trained, and right."""
        return not self.refused and not self.misses


class Verdict(NamedTuple):
    """Why it is refused, or what is wrong of what would be trained."""

    refused: str = ""
    misses: tuple[str, ...] = ()


def verdict(chat: Chat, conversation: Conversation) -> Verdict:
    """Encode the conversation and look at every learned answer of it."""
    row = Row("r", tuple(conversation.messages), conversation.tools, "rows.jsonl", 1)
    try:
        (problem,) = encode_rows(chat, [row], max_length=1 << 20, on_overlong="error").problems or (
            None,
        )
        if problem is not None and problem.level == "warning":
            return Verdict(refused=f"trained and warned: {problem.message}")
        sequences = encode_turns(chat, row)
    except DataError as error:
        return Verdict(refused=str(error))
    learned = [
        i
        for i, m in enumerate(conversation.messages)
        if m["role"] == "assistant" and m.get("weight", 1)
    ]
    misses = [miss for i in learned for miss in _misses(chat, conversation, i, sequences)]
    runs = sum(1 for s in sequences for trained, _ in groupby(s.trained) if trained)
    if runs != len(learned):
        misses.append(f"{runs} runs are learned of {len(learned)} answers")
    return Verdict(misses=tuple(misses))


def _misses(
    chat: Chat, conversation: Conversation, i: int, sequences: Sequence[EncodedRow]
) -> Iterator[str]:
    asked = chat.encode_prompt(conversation.messages[:i], tools=conversation.tools)
    n = len(asked)
    begun = [s for s in sequences if s.input_ids[:n] == asked and s.num_tokens > n and s.trained[n]]
    if len(begun) != 1:
        yield f"a: messages[{i}] is begun by {len(begun)} sequences"
        return
    (sequence,) = begun
    end = next((t for t in range(n, sequence.num_tokens) if not sequence.trained[t]), None)
    ids = sequence.input_ids[n:end]
    if ids[-1] not in chat.stop_ids:
        yield f"b: messages[{i}] ends with {chat.tokenizer.decode(ids[-1])!r}, which stops nothing"
    text = chat.tokenizer.decode(ids)
    message = conversation.messages[i]
    yield from (f"c: messages[{i}] {miss}" for miss in _unsaid(message, text))
    yield from (f"e: messages[{i}] {miss}" for miss in _unread(chat, conversation, i, ids))
    whole = _rendering(chat, conversation.messages[: i + 1], conversation.tools)
    prompt = _rendering(chat, conversation.messages[:i], conversation.tools, ask=True)
    if not _as_rendered(chat, conversation, i, prompt, text, whole):
        yield f"d: messages[{i}] would learn {text!r}"


def _unread(chat: Chat, conversation: Conversation, i: int, ids: Sequence[int]) -> Iterator[str]:
    """The parts of the row's answer that its tokens are not read back as: as a server reads them, up to the
    first token at which it stops."""
    message = conversation.messages[i]
    stop = next((at for at, token in enumerate(ids) if token in chat.stop_ids), len(ids))
    prompt = chat.render(conversation.messages[:i], tools=conversation.tools, ask=True)
    read = answer_of_tokens(
        chat, ids[:stop], prompt=prompt, tools=conversation.tools, ended=stop < len(ids)
    )
    content, thought = str(message["content"] or ""), message.get("reasoning_content", "")
    if content.startswith("<think>"):
        thought, _, content = content.removeprefix("<think>").partition("</think>")
    calls = [each["function"] for each in message.get("tool_calls", ())]
    wanted = [(f["name"], _value(f["arguments"])) for f in calls]
    if stop + 1 < len(ids):
        yield f"ends {len(ids) - 1 - stop} tokens too early"
    if read.fault:
        yield f"is read with a fault: {read.fault}"
    if read.content.strip() != content.strip():
        yield f"says {read.content!r}"
    if read.thoughts.strip() != thought.strip():
        yield f"thinks {read.thoughts!r}"
    if [(call.name, call.arguments) for call in read.calls] != wanted:
        yield f"calls {read.calls!r}"


def _value(arguments: Any) -> Any:  # Any: free JSON
    return json.loads(arguments) if isinstance(arguments, str) else arguments


def _unsaid(message: Mapping[str, Any], text: str) -> Iterator[str]:
    """The parts of an answer that what is learned has not, and thoughts that it has of itself."""
    thought, content = message.get("reasoning_content", ""), str(message["content"] or "")
    if not thought:
        thought, content = split_thoughts(content)
    if content.strip() not in text:
        yield f"does not say {content!r}"
    if thought not in text:
        yield f"does not think {thought!r}"
    for made in message.get("tool_calls", ()):
        given = _value(made["function"]["arguments"])
        assert isinstance(given, dict)
        values = [v for v in given.values() if isinstance(v, str) and '"' not in v]
        yield from (f"lacks {p!r}" for p in (made["function"]["name"], *values) if p not in text)
    if not thought:
        head = text.partition(content.strip())[0] if content.strip() else text
        inside = re.findall(r"(?:<think>|^)(.*?)</think>", head, re.DOTALL)
        yield from (f"thinks {t!r}" for t in inside if t.replace("<think>", "").strip())
        if head.count("</think>") > 1:
            yield f"closes {head.count('</think>')} thoughts"
    elif text.count("</think>") > 1:
        yield "closes two thoughts"


def _as_rendered(
    chat: Chat, conversation: Conversation, i: int, prompt: str, text: str, whole: str
) -> bool:
    """Is what is asked and learned what the template renders, to the end of the turn?

    Three cases are no plain prefix: a prompt that opens a thought where the answer has none (the template's
    own form of a thought without words), DeepSeek-R1's, which takes thoughts out (its text after them), and
    gpt-oss's, which rewrites what comes before a final answer (the answer behind its header)."""
    plain = _unquoted(chat, prompt + text)
    if _unquoted(chat, whole).startswith(plain):
        return True
    # GLM ends a turn by the beginning of the next one, vLLM's ChatML leaves the last end out
    for end in ("<|user|>", "<|observation|>", chat.tokenizer.eos_token):
        text = text.removesuffix(end)
    plain = _unquoted(chat, prompt + text)
    if _unquoted(chat, whole).startswith(plain):
        return True
    if chat.marks.is_open and not chat.marks.key:
        return text.partition("</think>")[2].lstrip("\n").strip() in whole
    if not whole.startswith(prompt):
        thought = {**conversation.messages[i], "reasoning_content": "@thought@"}
        spoken = _rendering(chat, [*conversation.messages[:i], thought], conversation.tools)
        if _unquoted(chat, spoken.replace("@thought@", "", 1)).startswith(plain):
            return True
        answer = text.partition("</think>")[2].lstrip("\n") if "</think>" in text else text
        return answer.strip() in whole
    return False


def _unquoted(chat: Chat, text: str) -> str:
    ids = chat.tokenizer(text, add_special_tokens=False)["input_ids"]
    return str(chat.tokenizer.decode(ids))


def _rendering(
    chat: Chat,
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Any] | None,
    *,
    ask: bool = False,
) -> str:
    """transformers' rendering of the messages, with thoughts and arguments as templates want them."""
    given = [_as_wanted(chat, message) for message in messages]
    return chat.template.text(given, tools, ask=ask)


def _as_wanted(chat: Chat, message: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(message)
    if message["role"] == "assistant" and chat.marks.thinks and message["content"]:
        thought, content = split_thoughts(message["content"])
        made |= {"content": content} | ({"reasoning_content": thought} if thought else {})
    for key in ("thinking", "reasoning"):
        if "reasoning_content" in made and chat.marks.key == key:
            made[key] = made.pop("reasoning_content")
    calls = []
    for each in message.get("tool_calls", ()):
        given = _value(each["function"]["arguments"])
        calls.append({**each, "function": {**each["function"], "arguments": given}})
    return made | ({"tool_calls": calls} if calls else {})


# ---------------------------------------------------------------- templates and tokenizers


def chats(options: argparse.Namespace) -> Iterator[tuple[str, Chat | None]]:
    """Every template by name, as a tokenizer that chats by it."""
    for name, source in sorted(templates(options).items()):
        if options.only in name:
            try:
                yield name, chat_of(source)
            except DataError as error:
                print(f"{name}: cannot chat: {error}")
                yield name, None


def templates(options: argparse.Namespace) -> dict[str, str]:
    """Every template that one can get, alike ones once."""
    found: dict[str, str] = {}
    spec = importlib.util.find_spec("trl")
    folders = [(HERE.parent / "packages/finewright/tests/families/templates", "")]
    if spec is not None and spec.origin:
        folders.insert(0, (Path(spec.origin).parent / "chat_templates", "trl "))
    for folder, kind in folders:
        paths = sorted(folder.glob("*.jinja"))
        if not paths:
            raise SystemExit(f"{folder}: no templates")
        for path in paths:
            if not path.stem.endswith("_training"):
                found[f"{kind}{path.stem}"] = path.read_text(encoding="utf-8")
    if options.packaged:
        found |= packaged()
    if options.more:
        for archive in ARCHIVES:
            found |= {f"{archive.name} {name}": text for name, text in archive.templates().items()}
    once: dict[str, str] = {}
    for name, text in found.items():
        once.setdefault(text, name)
    return {name: text for text, name in once.items()}


def packaged() -> dict[str, str]:
    """The templates of the packaged models that are on this machine."""
    from finewright.catalog.models import read_packaged_models
    from finewright.errors import FinewrightError
    from finewright.lm.load_chat import load_chat
    from finewright.lm.sources import locate

    found = {}
    for name in read_packaged_models():
        try:
            found[f"packaged {name}"] = load_chat(locate(name, HERE)).template.source
        except FinewrightError as error:
            print(f"{name}: {error}")
    return found


def chat_of(source: str) -> Chat:
    """A tokenizer with the template, and its ends as a checkpoint declares them."""
    made = with_its_end(tokenizer_of(source))
    declared = [made.convert_tokens_to_ids(t) for t in DECLARED if t in made.get_added_vocab()]
    ends = find_end_of_turn(made, [made.eos_token_id, *declared])
    return Chat(made, ends, declared=frozenset({made.eos_token_id, *declared}))


def with_its_end(made: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """The tokenizer, whose eos is the last control that the template writes behind an answer."""
    behind = find_marks(ChatTemplate(made)).ends.strip()
    controls = [t for t in made.get_added_vocab() if t in behind]
    if not controls and behind and not re.search(r"\s", behind):
        made.add_special_tokens({"additional_special_tokens": [behind]})
        controls = [behind]
    if controls and made.eos_token not in controls:
        made.eos_token = max(controls, key=behind.rfind)
    return made


def tokenizer_of(source: str) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer that has the control tokens which the template spells."""
    made = backend()
    catalog = control_tokens()
    spelled = {text for text in catalog.spellings if text in source and "{n}" not in text}
    plain = {"<think>", "</think>", "<tool_call>", "</tool_call>"} & {
        t for t in ("<think>", "</think>", "<tool_call>", "</tool_call>") if t in source
    }
    special = sorted((spelled | set(TOKEN.findall(source)) | {"<|bos|>", "</s>"}) - plain)
    made.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    made.add_tokens([AddedToken(t, normalized=False) for t in sorted(plain)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<|bos|>",  # noqa: S106 - a token of a tokenizer
        eos_token=eos_of(source, special),
        chat_template=source,
        clean_up_tokenization_spaces=False,
    )


def eos_of(source: str, special: Sequence[str]) -> str:
    """The end token that a checkpoint with this template declares."""
    known = (
        "<|END_OF_TURN_TOKEN|>",
        "<|im_end|>",
        "<|eot_id|>",
        "<|return|>",
        "<turn|>",
        "<|eot|>",
    )
    return next((t for t in known if t in special), "</s>")


@cache
def _trained() -> str:
    words = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    words.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(WORDS), "isolated"), byte_level]
    )
    words.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    words.train_from_iterator(["system\nuser\n\nassistant\n model\n the\n\n\n"] * 8, trainer)
    return words.to_str()


def backend() -> Tokenizer:
    """Byte-level BPE behind the pattern of Llama 3 and Qwen, which joins newlines across borders."""
    return Tokenizer.from_str(_trained())


# ---------------------------------------------------------------- the report


def report(found: Mapping[str, Sequence[Cell]]) -> str:
    """A line for each template, and the refusals by reason."""
    lines = [
        [
            name,
            str(sum(cell.fine for cell in cells)),
            str(sum(bool(cell.refused) for cell in cells)),
            str(sum(bool(cell.misses) for cell in cells)),
        ]
        for name, cells in found.items()
    ]
    reasons: dict[str, Counter[str]] = {}
    for cells in found.values():
        for cell in cells:
            if cell.refused:
                reason = re.sub(r"messages\[\d+\]: |: it is asked .*", "", cell.refused)
                reasons.setdefault(reason, Counter())[cell.title] += 1
    told = [
        f"{sum(titles.values()):5} {reason[:150]}  ({', '.join(titles)[:90]})"
        for reason, titles in sorted(reasons.items(), key=lambda pair: -sum(pair[1].values()))
    ]
    cells = [cell for each in found.values() for cell in each]
    fine = sum(cell.fine for cell in cells)
    return "\n".join(
        [
            table(["template", "trained", "refused", "wrong"], lines),
            "",
            *told,
            "",
            f"{len(found)} templates, {len(cells)} cells: {fine} trained, "
            f"{sum(bool(c.refused) for c in cells)} refused, {sum(bool(c.misses) for c in cells)} wrong",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
