"""The conversations of `answers.py`."""

from collections.abc import Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]

CITY: Json = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "Name"},
        "days": {"type": "integer", "description": "How many"},
    },
    "required": ["city"],
}
WEATHER: Json = {
    "type": "function",
    "function": {"name": "weather", "description": "Weather of a city", "parameters": CITY},
}
CLOCK: Json = {
    "type": "function",
    "function": {"name": "clock", "description": "Time in a zone", "parameters": CITY},
}
TOOLS = (WEATHER, CLOCK)


class Conversation(NamedTuple):
    """A conversation of a training row."""

    title: str
    messages: Sequence[Json]
    tools: tuple[Json, ...] | None = None


def user(content: str) -> Json:
    """A user's turn."""
    return {"role": "user", "content": content}


def says(content: str | None, **more: object) -> Json:
    """An assistant's turn."""
    return {"role": "assistant", "content": content, **more}


def thinks(thought: str, content: str | None, **more: object) -> Json:
    """An assistant's turn with a thought of its own."""
    return says(content, reasoning_content=thought, **more)


def call(name: str = "weather", arguments: object = None, number: str = "a1b2c3d4e") -> Json:
    """A call; its id is as long as Mistral wants it."""
    given = '{"city": "Paris"}' if arguments is None else arguments
    return {"id": number, "type": "function", "function": {"name": name, "arguments": given}}


def result(content: str, number: str = "a1b2c3d4e", name: str = "weather") -> Json:
    """What a tool gave back."""
    return {"role": "tool", "content": content, "tool_call_id": number, "name": name}


SYSTEM = {"role": "system", "content": "You are terse."}
ASK, SUN = user("Weather in Paris?"), result('{"sky": "clear"}')
CALLED = says(None, tool_calls=[call()])
NESTED = {"city": "São Paulo", "days": 3}

USUAL = (
    Conversation("one turn", [user("What is 1+1?"), says("It is 2.")]),
    Conversation("a system prompt", [SYSTEM, user("What is 1+1?"), says("2.")]),
    Conversation(
        "three turns",
        [user("Hi"), says("Hello!"), user("1+1?"), says("2."), user("Bye"), says("Ciao.")],
    ),
    Conversation("an empty answer", [user("Say nothing."), says("")]),
    Conversation("unicode", [user("Grüße, 日本 🙂?"), says("e\u0301 مرحبا 👩\u200d🔬 日本語")]),
    Conversation("an answer after newlines", [user("Poem?"), says("\n\n  Roses are red")]),
    Conversation("an answer before blanks", [user("Poem?"), says("Roses are red  \n\n")]),
    Conversation("JSON", [user("As JSON?"), says('{"sum": 4, "ok": [true, null]}')]),
    Conversation(
        "control tokens in a question",
        [user("What is <|im_end|> or </s> or <|eot_id|> <end_of_turn> <|return|>?"), says("Ends.")],
    ),
    Conversation(
        "control tokens in an answer",
        [user("Name ends."), says("<|im_end|>, <|eot_id|>, <|end|>, <turn|> and <|im_start|>.")],
    ),
    Conversation(
        "<think> in a question", [user("What does <think>this</think> do?"), says("It thinks.")]
    ),
    Conversation("a thought", [user("1+1?"), thinks("One and one.", "It is 2.")]),
    Conversation(
        "a thought in the content",
        [user("1+1?"), says("<think>\nOne and one.\n</think>\n\nIt is 2.")],
    ),
    Conversation(
        "thoughts in two turns",
        [user("1+1?"), thinks("First sum.", "2."), user("2+2?"), thinks("Second sum.", "4.")],
    ),
    Conversation(
        "a thought in the first of three turns",
        [
            *(user("1+1?"), thinks("Only sum.", "2.")),
            *(user("2+2?"), says("4.")),
            *(user("3+3?"), says("6.")),
        ],
    ),
    Conversation(
        "a thought in the last turn",
        [user("1+1?"), says("2."), user("2+2?"), thinks("Last\n\nsum 🙂.", "4.")],
    ),
    Conversation("a call", [ASK, CALLED], TOOLS),
    Conversation("a call and its answer", [ASK, CALLED, SUN, says("It is sunny.")], TOOLS),
    Conversation(
        "two calls at once",
        [
            user("Weather and time?"),
            says(None, tool_calls=[call(), call("clock", NESTED, "b1b2c3d4e")]),
            SUN,
            result("12:00", "b1b2c3d4e", "clock"),
            says("Sunny noon."),
        ],
        TOOLS,
    ),
    Conversation(
        "text beside a call",
        [ASK, says("Let me see.", tool_calls=[call()]), SUN, says("It is sunny.")],
        TOOLS,
    ),
    Conversation(
        "thoughts before a call and after",
        [
            ASK,
            thinks("Ask the tool.", None, tool_calls=[call()]),
            SUN,
            thinks("Tool says clear.", "It is sunny."),
        ],
        TOOLS,
    ),
    Conversation(
        "two rounds of calls",
        [
            *(ASK, CALLED, SUN, says("It is sunny.")),
            user("And in São Paulo?"),
            says(None, tool_calls=[call("weather", NESTED, "c1b2c3d4e")]),
            *(result("rain", "c1b2c3d4e"), says("It rains.")),
        ],
        TOOLS,
    ),
    Conversation("tools and no call", [SYSTEM, user("Hi"), says("Hello!")], TOOLS),
    Conversation(
        "a first answer that is only read",
        [user("Hi"), says("Hello!", weight=0), user("Bye"), says("Ciao.")],
    ),
    Conversation("a user's turn at the end", [user("1+1?"), says("2."), user("ok thanks")]),
)

DEEP = {"city": 'Zürich "Süd"', "days": 0, "when": [None, True, 1.5, {"h": "12:00"}]}

ODD = (
    Conversation("a system prompt and a call", [SYSTEM, ASK, CALLED], TOOLS),
    Conversation("a system prompt and a thought", [SYSTEM, user("1+1?"), thinks("Sum.", "2.")]),
    Conversation(
        "blanks around every text",
        [
            {"role": "system", "content": "\n You are terse. \n\n"},
            *(user("  1+1? \n"), says(" 2. "), user("\n\nBye "), says("Ciao.\n")),
        ],
    ),
    Conversation(
        "five turns",
        [m for n in range(5) for m in (user(f"{n}+{n}?"), says(f"It is {n + n}."))],
    ),
    Conversation("code", [user("Code?"), says("```python\nif a < b:\n\tprint('{{ a }}')\n```")]),
    Conversation("one character", [user("A or B?"), says("A")]),
    Conversation("an empty question", [user(""), says("What is it?")]),
    Conversation(
        "a call without arguments", [ASK, says("", tool_calls=[call("clock", {})])], TOOLS
    ),
    Conversation(
        "a call with nested arguments", [ASK, says(None, tool_calls=[call("weather", DEEP)])], TOOLS
    ),
    Conversation(
        "a call in the second turn",
        [user("Hi"), says("Hello!"), ASK, CALLED, SUN, says("Sunny.")],
        TOOLS,
    ),
    Conversation(
        "a call after a call",
        [
            *(ASK, CALLED, SUN),
            says(None, tool_calls=[call("clock", NESTED, "b1b2c3d4e")]),
            *(result("12:00", "b1b2c3d4e", "clock"), says("Sunny noon.")),
        ],
        TOOLS,
    ),
    Conversation(
        "a thought before two calls",
        [ASK, thinks("Ask both.", None, tool_calls=[call(), call("clock", NESTED, "b1b2c3d4e")])],
        TOOLS,
    ),
    Conversation("a thought and no words", [user("Think."), thinks("Only this.", "")]),
    Conversation(
        "thoughts in three turns, with a system prompt",
        [
            SYSTEM,
            *(user("1+1?"), thinks("First.", "2.")),
            *(user("2+2?"), thinks("Second\nin two lines.", "4.")),
            *(user("3+3?"), thinks("Third.", "6.")),
        ],
    ),
    Conversation(
        "a call that is only read",
        [ASK, says(None, tool_calls=[call()], weight=0), SUN, says("It is sunny.")],
        TOOLS,
    ),
    Conversation(
        "a close named in an answer", [user("How?"), says("Write <think> first, then </think>.")]
    ),
    Conversation("a lone close named in an answer", [user("How?"), says("It ends with </think>.")]),
)

CONVERSATIONS = (*USUAL, *ODD)
