"""ms-swift: `query` and `response` with `history`, and conversations with a rejected answer.

docs/source_en/Customization/Custom-dataset.md of modelscope/ms-swift: `rejected_response` stands in the
place of the last answer, `rejected_messages` is a whole conversation, `label` says whether the answer was
liked, `loss` of a message whether it is learned. `channel` is a column. Images, videos and audios are
refused: only text is trained."""

from collections.abc import Iterator

from finewright.rows.formats.alpaca import history
from finewright.rows.formats.native import Expected, KeyedValue, Native, Side, form, native, text
from finewright.rows.formats.turns import ends_with_answer, tools_of, turns, with_system
from finewright.rows.notes import Json, RowNotes

_OWN = ("messages", "query", "system", "history")


def _read_answer(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    said = [*_prompt(data, notes), text("response", "assistant", data["response"])]
    yield native("messages", data, {"messages": said}, tools_of(data), _OWN)


def _read_label(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    said = [*_prompt(data, notes), text("response", "assistant", data["response"])]
    more = {**tools_of(data), "label": KeyedValue("label", data["label"])}
    yield native("unpaired_preference", data, {"messages": said}, more, _OWN)


def _query_pair(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    sides: dict[str, Side] = {
        "prompt": _prompt(data, notes),
        "chosen": KeyedValue("response", data["response"]),
        "rejected": turns("rejected_response", data["rejected_response"], notes),
    }
    yield native("preference", data, sides, tools_of(data), _OWN)


def _read_rejected_response(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    said = with_system(turns("messages", data["messages"], notes), data, notes)
    if isinstance(said, KeyedValue) or not ends_with_answer(said):
        key = "messages" if isinstance(said, KeyedValue) or not said else said[-1].key
        what = "`rejected_response` stands for the last answer, and the conversation does not end with one"
        notes.error(key, what, "end it with the better answer")
        return
    sides: dict[str, Side] = {
        "prompt": said[:-1],
        "chosen": said[-1:],
        "rejected": turns("rejected_response", data["rejected_response"], notes),
    }
    yield native("preference", data, sides, tools_of(data), _OWN)


def _read_rejected_messages(data: Json, expected: Expected, notes: RowNotes) -> Iterator[Native]:
    sides = {
        name: with_system(turns(key, data[key], notes), data, notes)
        for name, key in (("chosen", "messages"), ("rejected", "rejected_messages"))
    }
    yield native("preference", data, sides, tools_of(data), (*_OWN, "rejected_messages"))


def _prompt(data: Json, notes: RowNotes) -> Side:
    with_query = [*history(data, notes), text("query", "user", data["query"])]
    return with_system(with_query, data, notes)


def _is_liking(data: Json, expected: Expected) -> bool:
    return isinstance(data["label"], bool)


# fmt: off
FORMS = (
    form("ms_swift", "query response", ("messages", "prompt_completion"), _read_answer,
         why="ms-swift: `query`, `response` and `history`"),
    form("ms_swift", "query response label", ("unpaired_preference",), _read_label, _is_liking,
         why="ms-swift with `label`: was the response liked?"),
    form("ms_swift", "query rejected_response response", ("preference",), _query_pair,
         why="ms-swift: a response and a rejected one", mark="`query` with `rejected_response`"),
    form("ms_swift", "messages rejected_response", ("preference",), _read_rejected_response,
         why="ms-swift: `messages`, and what was rejected in the place of the last answer"),
    form("ms_swift", "messages rejected_messages", ("preference",), _read_rejected_messages,
         why="ms-swift: two conversations, the better in `messages`"),
)
# fmt: on
