"""A row of no known format: which of its columns could be asked and answered, by their names and kinds.

A guess to confirm, never one to act on: the user writes `columns` into the spec, or does not."""

import math
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import yaml

from finewright.rows.containers.table import reads_like_a_row
from finewright.rows.formats.column_names import NAMES, best_named, has_word, is_apart, words_of
from finewright.rows.notes import Json, kind_of_json
from finewright.schema.common import without


class Proposal(NamedTuple):
    """Our keys -> the row's, and what speaks for them."""

    columns: Mapping[str, str]
    why: str

    def line(self) -> str:
        """As it is written into the spec."""
        pairs = yaml.safe_dump(
            dict(self.columns),
            default_flow_style=True,
            allow_unicode=True,
            sort_keys=False,
            width=math.inf,
        )
        return f"columns: {pairs.strip()}"

    def options(self) -> str:
        """As it is written on the command line."""
        pairs = (f"{ours}={theirs}" for ours, theirs in self.columns.items())
        return " ".join(f"--column {shlex.quote(pair)}" for pair in pairs)


class Proposals(NamedTuple):
    """The one reading that is proposed; or the choices, and what the user has to say."""

    one: Proposal | None = None
    choices: tuple[Proposal, ...] = ()
    question: str = ""

    def hint(self) -> str:
        """As a row's mistake is told with it; empty where there is nothing."""
        if self.one:
            return f"is it this? {self.one.options()}, or in a spec {self.one.line()}, as {self.one.why}"
        ways = "; or ".join(choice.options() for choice in self.choices)
        return f"{self.question}: {ways}" if ways else ""


_TURNS = (frozenset(("role", "content")), frozenset(("from", "value")))
_ANSWERABLE = ("answered", "class")
_NUMBERED = re.compile(r"(.*?)(?:[ _-]?[0-2ab]|[ _-][a-z])\Z", re.IGNORECASE)
# Scripts that put no spaces between words; a word has about two of their characters.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_ASKING = frozenset(("user", "human", "prompter", "system", "developer"))
_TEXTS = ("text", "word", "mark", "blank", "turns", "sql", "schema")
_SQL = re.compile(r"\s*(?:select|with|insert\s+into|update|delete\s+from)\s", re.IGNORECASE)
# Not `Select the best one from the list`.
_SQL_PARTS = re.compile(
    r"\b(?:from|set|values|as\s*\()\b(?!\s+(?:the|an?|this|these|those|your|my|our|among)\b)",
    re.IGNORECASE,
)
_SCHEMA = re.compile(r"\s*create\s+(?:table|view)\s", re.IGNORECASE)
_TWO = len(("asked", "answered"))
_HAS_DIGIT = re.compile(r"\d")
_IN_ORDER = "they are the row's two texts, in this order"

# A key that holds text -> what kind of text.
Texts = Mapping[str, str]
Kinds = tuple[tuple[str, str], ...]


def proposal_of(data: Json) -> Proposal | None:
    """What could be asked and answered in the row; None where nothing speaks for anything."""
    if ("chosen" in data) != ("rejected" in data):
        # Half of a pair is no answer to learn.
        return None
    return _proposal(tuple((key, kind_of(value)) for key, value in data.items()), is_apart(data))


def is_by_names(proposal: Proposal) -> bool:
    """Whether names speak for it, and not the order of two texts alone."""
    return proposal.why != _IN_ORDER


def reads_like_context(key: str) -> bool:
    """Whether it is called what something is asked about, and answers nothing."""
    return bool(best_named([key], "context"))


def rivals_of(data: Json) -> tuple[str, str] | None:
    """Two answers of one row that are told apart by a number or letter: neither is the one to train on."""
    texts = [k for k, value in data.items() if isinstance(value, str) or kind_of(value) == "turns"]
    answers = (k for k in texts if best_named([k], "answered", "conversation") and not _is_about(k))
    return find_numbered_pair(answers)


def find_numbered_pair(keys: Iterable[str]) -> tuple[str, str] | None:
    """Two keys that are told apart by a number or letter at the end."""
    seen: dict[str, str] = {}
    for key in keys:
        numbered = _NUMBERED.match(key)
        if stem := numbered[1] if numbered else "":
            if stem in seen:
                return seen[stem], key
            seen[stem] = key
    return None


def kind_of(value: object) -> str:
    """`turns` for a list of messages, `open` for one that ends with the user, `asked` for one where nobody
    else speaks, `objects` for other lists of objects; `class` for a whole number or a boolean, as labels
    are; else what a user calls it."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return _kind_of_objects(value)
    if isinstance(value, int):
        return "class"
    return _kind_of_text(value) if isinstance(value, str) else kind_of_json(value)


def _kind_of_turns(turns: list[Json]) -> str:
    are_users = [str(turn.get("role", turn.get("from"))).lower() in _ASKING for turn in turns]
    if not are_users[-1]:
        return "turns"
    return "asked" if all(are_users) else "open"


def _kind_of_objects(value: list[Any]) -> str:
    if {"role", "content"} <= value[0].keys() or "from" in value[0]:
        return _kind_of_turns([turn for turn in value if isinstance(turn, dict)])
    return "objects"


def _kind_of_text(value: str) -> str:
    """`blank`; `mark`, such as a number, a day or an id; `word`; `sql`, a statement; `schema`, of tables;
    else `text`, of several words."""
    if not value.strip():
        return "blank"
    if _SCHEMA.match(value) or (_SQL.match(value) and _SQL_PARTS.search(value)):
        return "schema" if _SCHEMA.match(value) else "sql"
    num_words = len(value.split()) + len(_UNSPACED.findall(value)) // 2
    letters = sum(map(str.isalpha, value))
    if letters <= sum(map(str.isdigit, value)) or (num_words == 1 and _HAS_DIGIT.search(value)):
        return "mark"
    return "word" if num_words == 1 else "text"


@lru_cache(maxsize=4096)
def _proposal(kinds: Kinds, has_parts: bool) -> Proposal | None:
    if _is_first_row([key for key, _ in kinds]):
        return None
    if any(turn <= {key for key, _ in kinds} for turn in _TURNS):
        # One turn of a conversation, and a row is a whole one.
        return None
    names = [words_of(key) for key, _ in kinds]
    texts = {
        key: kind
        for key, kind in kinds
        if kind in _TEXTS and not _is_about(key, names) and not _is_earlier(key, names)
    }
    found = _better_and_worse(texts) or _conversation(kinds, texts)
    return found or (None if has_parts else _questions(kinds, texts))


def _is_first_row(keys: list[str]) -> bool:
    """Whether they are the first row of a table without a header, and not names. Names of a question and of
    its answer, or of a better and a worse one, are a header whatever stands beside them."""
    whole = {name[0] for name in map(words_of, keys) if len(name) == 1}
    are_names = any(
        not (whole.isdisjoint(NAMES[one]) or whole.isdisjoint(NAMES[other]))
        for one, other in (("asked", "answered"), ("better", "worse"))
    )
    return reads_like_a_row(keys) and not are_names


def _conversation(kinds: Kinds, texts: Texts) -> Proposal | None:
    """A list of messages; or one that the user has the last word of, and the text that answers it."""
    found = {kind: key for key, kind in reversed(kinds) if kind in ("turns", "open", "asked")}
    question = found.get("open") or found.get("asked") or ""
    answered = _find_answer(texts)
    if question and answered and "turns" not in found:
        why = f"`{question}` is a list of messages, `{answered}` reads like what is answered"
        return Proposal({"prompt": question, "completion": answered}, why)
    if turns := found.get("turns") or found.get("open"):
        return Proposal({"messages": turns}, f"`{turns}` is a list of messages")
    if not question:
        return None
    why = f"`{question}` is a list of messages that nobody answers: prompts alone, as grpo and ppo take"
    return Proposal({"prompt": question}, why)


def _questions(kinds: Kinds, texts: Texts) -> Proposal | None:
    classes = [key for key, kind in kinds if kind == "class"]
    found = _question_and_answer(texts) or _text_and_class(texts, classes)
    if found or best_named(classes, *_ANSWERABLE):
        # Where two texts have a class, it is of both.
        return found
    is_flat = not any(kind in ("objects", "an object") for _, kind in kinds)
    return _two_texts(texts) or (_prompts_alone(texts) if is_flat else None)


def _better_and_worse(texts: Texts) -> Proposal | None:
    """A pair: two texts of one name but for which is better, and what was asked, and of what."""
    better, worse = best_named(texts, "better"), best_named(texts, "worse")
    if not better or not worse or better == worse or _stem(better) != _stem(worse):
        return None
    prompt = _prompt_in(_others(texts, better, worse))
    context = _context_in(_others(texts, better, worse, prompt))
    columns = {"prompt": prompt} if prompt else {}
    if prompt and context:
        columns = {"instruction": prompt, "input": context}
    why = f"`{better}` reads like the better answer, `{worse}` like the worse"
    return Proposal({**columns, "chosen": better, "rejected": worse}, why)


def _stem(key: str) -> list[str]:
    return [word for word in words_of(key) if word not in (*NAMES["better"], *NAMES["worse"])]


def _prompts_alone(texts: Texts) -> Proposal | None:
    prompt = best_named(_of_kind(texts, "text"), "asked alone")
    others = _others(texts, prompt)
    singular = (key.removesuffix("s") for key in others)
    if not prompt or best_named([*others, *singular], "context", *_ANSWERABLE, "passage"):
        return None
    why = (
        f"`{prompt}` reads like what is asked, and nothing like an answer: prompts alone, as grpo and ppo"
        " take"
    )
    return Proposal({"prompt": prompt}, why)


def _question_and_answer(texts: Texts) -> Proposal | None:
    answered = _find_answer(texts)
    context = _context_in(_others(texts, answered))
    prompt = _prompt_in(_others(texts, answered, context))
    if answered and not prompt:
        prompt, context = context, ""
    if not answered or not prompt:
        return None
    if not context and (prompt, answered) == ("question", "answer") and "category" in texts:
        context = "category"
    return _with_context(texts, prompt, context, answered)


def _with_context(texts: Texts, prompt: str, context: str, answered: str) -> Proposal:
    why = f"`{prompt}` reads like what is asked, `{answered}` like what is answered"
    columns = {"prompt": prompt, "completion": answered}
    if context:
        columns = {"instruction": prompt, "input": context, "output": answered}
        why = f"{why}, `{context}` like what it is asked about"
        if context == "category":
            why = f"{why}; Axolotl's jeopardy writes `what is ` before each answer, here it stays as it is"
    systems = [key for key in NAMES["system"] if key in texts]
    return Proposal({"system": systems[0], **columns} if systems else columns, why)


def _find_answer(texts: Texts) -> str:
    """What reads like what is answered: by its whole name, else a statement of SQL, else by a part of it."""
    right = [key for key in texts if not has_word("worse", key)]
    named = best_named(right, "answered") or best_named(right, "class")
    if texts.get(named) == "mark":  # such as a number that the text of `solution` comes to
        whole = [key for key in right if texts[key] == "text" and len(words_of(key)) == 1]
        named = best_named(whole, "answered") or named
    statements = _of_kind(texts, "sql")
    is_whole = any(named.casefold() in NAMES[role] for role in _ANSWERABLE)
    return statements[0] if statements and not is_whole else named


def _context_in(texts: Texts) -> str:
    schemas = _of_kind(texts, "schema")
    filled = [key for key, kind in texts.items() if kind not in ("blank", "mark")]
    return schemas[0] if schemas else best_named(filled, "context")


def _text_and_class(texts: Texts, classes: list[str]) -> Proposal | None:
    """A text and the number of its class: what is asked by its name, or the row's only text."""
    answered = best_named(classes, *_ANSWERABLE)
    context = _context_in(texts)
    others = _others(texts, context)
    alone = [key for key in others if not has_word("beside", key)]
    prompt = _prompt_in(others) or (alone[0] if len(alone) == 1 else "")
    if context and not prompt:
        prompt, context = context, ""
    if not answered or not prompt:
        return None
    found = _with_context(texts, prompt, context, answered)
    as_text = "a number is trained as its text, such as 0, and the names of the classes in its place would"
    return found._replace(why=f"{found.why}; {as_text} teach more")


def _find_spoken_columns(texts: Texts) -> list[str]:
    """The columns that say something; marks, such as ids, where there are no more than two."""
    said = [
        key
        for key, kind in texts.items()
        if kind != "blank"
        and key not in ("system", *NAMES["system"])
        and not has_word("beside", key)
    ]
    return [key for key in said if texts[key] != "mark"] if len(said) > _TWO else said


def _two_texts(texts: Texts) -> Proposal | None:
    said = _find_spoken_columns(texts)
    if len(said) != _TWO or texts[said[0]] == "mark" or all(_is_only_prompt(key) for key in said):
        return None
    one, other = said
    may_ask = has_word("asked alone", other) and not best_named(said, "class")
    if not best_named([other], *_ANSWERABLE) and (has_word("answered", one) or may_ask):
        # `Skill`, `Instruction` or `solution`, `mode`: nothing answers what is asked, or it comes second.
        return None
    columns = dict(zip(("prompt", "completion"), said, strict=True))
    return Proposal(columns, _IN_ORDER)


def _is_only_prompt(key: str) -> bool:
    may_ask = has_word("asked", key) or "description" in words_of(key)
    return may_ask and not best_named([key], *_ANSWERABLE)


def _is_about(key: str, names: Sequence[list[str]] = ()) -> bool:
    """Whether the name says that the text is about another."""
    words = words_of(key)  # `source_text`, and a source beside a target, may be what is translated
    is_source = words[-1:] == ["source"] and not any("target" in name for name in names)
    return len(words) > 1 and (has_word("about", key) or is_source)


def _is_earlier(key: str, names: Sequence[list[str]]) -> bool:
    """Whether the name says that the text is what another column was made from."""
    words = words_of(key)
    rest = [word for word in words if word not in NAMES["earlier"]]
    return bool(rest) and rest != words and rest in names


def _prompt_in(texts: Texts) -> str:
    """What reads like what is asked: of several words if there is such a one, and never an id."""
    whole = [key for key, kind in texts.items() if kind != "mark"]
    return best_named(_of_kind(texts, "text"), "asked") or best_named(whole, "asked")


def _of_kind(texts: Texts, kind: str) -> list[str]:
    return [key for key, own in texts.items() if own == kind]


def _others(texts: Texts, *taken: str) -> Texts:
    return without(texts, taken)
