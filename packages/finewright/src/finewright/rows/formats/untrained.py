"""Formats that are known and cannot become rows as they are: token ids, plain text unless
`data.type: text` asks for it; and stepwise labels.

Stepwise (TRL's and Axolotl's, for process reward models): a right or wrong for every step of a solution.
There are no process reward models here: it becomes a labelled answer, liked where every step is right, and
that this forgets which step is wrong is said unless `data.type: unpaired_preference` asks for it."""

from collections.abc import Iterator

from finewright.rows.formats.column_names import choices_in
from finewright.rows.formats.content import whole_turns_in
from finewright.rows.formats.native import (
    TEXT,
    Expected,
    KeyedMessage,
    KeyedValue,
    Native,
    form,
    native,
)
from finewright.rows.formats.propose import proposal_of
from finewright.rows.formats.turns import CALL, RESULT, SHAREGPT_ROLES, role_named
from finewright.rows.notes import Json, RowNotes
from finewright.schema.common import without

PLAIN_TEXT = "plain text: nobody asks and nobody answers"


def _warn_of_plain_text(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    what = f"{PLAIN_TEXT}, and it is answers that are trained"
    with_ids = "" if "id" in data or "path" in data else ", with an `id` each"
    mend = (
        "write what is asked and what is answered: `prompt` and `completion`; to answer from such texts, "
        f"`finewright rag index` takes them{with_ids}, and `finewright data raft` makes rows of questions "
        "(`prompt`, `completion` and `gold`, the ids of what answers) and that index; to learn the texts as"
        " they stand, set --type, or data.type in a spec, to text"
    )
    notes.error("text", what, mend)
    yield from ()


def _read_document(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    yield Native("text", {"text": data["text"]}, without(data, ("text",)))


def _is_wanted(data: Json, expected: Expected) -> bool:
    return expected == "text"


def _read_rendered_text(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    text = data["text"]
    spoken = [(turn.role, text[turn.start : turn.end]) for turn in whole_turns_in(text)]
    said = [KeyedMessage("text", {"role": who, "content": what}, TEXT) for who, what in spoken]
    what = "text that a chat template wrote: its turns are read, and the answers among them learned"
    notes.warning("text", what, "write them as `messages`")
    yield native("messages", data, {"messages": said})


def _is_written(data: Json, expected: Expected) -> bool:
    text = data["text"]
    return isinstance(text, str) and bool(whole_turns_in(text))


def _turn(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    what = "one turn of a conversation, and a row is a whole one"
    mend = 'join the turns of each conversation in their order: {"messages": [turn, turn, ...]}'
    notes.error("", what, mend)
    yield from ()


def _is_turn(data: Json, expected: Expected) -> bool:
    who = data["from"] if "from" in data else data["role"]
    return isinstance(who, str) and role_named(who, SHAREGPT_ROLES) in _SPEAKERS


def _tokens(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    what = (
        "token ids, which are words for the one tokenizer that made them, and it is not named here"
    )
    notes.error("input_ids", what, "take the rows from before they were tokenized")
    yield from ()


def _steps(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    steps, labels = data["completions"], data["labels"]
    if expected == "auto":
        what = (
            "a label for every step, for which there is no method here: the answer is liked where all its"
            " steps are right, and which one is wrong is not learned"
        )
        mend = "set --type, or data.type in a spec, to unpaired_preference if this is meant"
        notes.warning("labels", what, mend)
    if not steps or not all(isinstance(step, str) for step in steps):
        notes.error("completions", "a list of texts is expected")
        return
    if len(labels) != len(steps) or not all(isinstance(label, bool) for label in labels):
        what = "true or false is expected for each of `completions`"
        notes.error("labels", what, "write one for each step, without quotes")
        return
    sides = {
        "prompt": KeyedValue("prompt", data["prompt"]),
        "completion": KeyedValue("completions", "\n".join(steps)),
    }
    more = {"label": KeyedValue("labels", all(labels))}
    yield native("unpaired_preference", data, sides, more)


def _is_text_alone(data: Json, expected: Expected) -> bool:
    """With an answer beside it, such as a label in words, or choices it can be what is asked."""
    return proposal_of(data) is None and not choices_in(data)


def _are_lists(data: Json, expected: Expected) -> bool:
    return isinstance(data["completions"], list) and isinstance(data["labels"], list)


_SPEAKERS = ("system", "user", "assistant", "tool", CALL, RESULT)
# fmt: off
FORMS = (
    form("turn", "from value", (), _turn, _is_turn, why="a turn a row: no conversation is whole", weak=2),
    form("turn", "role content", (), _turn, _is_turn, why="a turn a row: no conversation is whole", weak=2),
    form("turn", "role text parent_id", (), _turn, _is_turn,
         why="a turn a row: no conversation is whole", weak=2, mark="`role` with `text`"),
    form("text", "text", ("text",), _read_document, _is_wanted,
         why="a document, for continued pre-training", weak=1),
    form("text", "text", ("messages",), _read_rendered_text, _is_written,
         why="text that a chat template wrote", weak=1),
    form("text", "text", (), _warn_of_plain_text, _is_text_alone,
         why="plain text, as for language modelling", weak=2),
    form("pre_tokenized", "input_ids", (), _tokens, why="token ids that another program made", weak=3),
    form("stepwise", "prompt completions labels", ("unpaired_preference",), _steps, _are_lists,
         why="TRL's stepwise supervision: a label for every step"),
)
# fmt: on
