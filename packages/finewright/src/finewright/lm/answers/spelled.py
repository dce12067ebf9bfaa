"""Marks that an answer only spells: told apart from those that its tokens are.

`<|end|>` in a text about gpt-oss is five ordinary tokens, and ends no message. As `lm.controls` does for
what is asked, a spelling is broken by a character that no text has, and the reader takes it out again."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from transformers import PreTrainedTokenizerBase

from finewright.judge.answer import Answer, Call, calls_text
from finewright.lm.answers.window import plain_text

BREAK = "\ue0ff"
"""Private use, below those that `lm.controls` takes."""
_NONE = -1  # the number of no token


def decode_with_marks(
    tokenizer: PreTrainedTokenizerBase,
    ids: Sequence[int],
    marks: frozenset[str],
    foreign: frozenset[str] = frozenset(),
) -> str:
    """Tokens as text, in which every one of the marks that is a token of its own is that token.

    Of the `foreign` marks those that neither the tokenizer nor its template has are never marks."""
    text = plain_text(tokenizer, ids)
    tokens = _tokens_in(tokenizer, marks, foreign)
    if all(text.count(spelling) <= ids.count(token) for spelling, token in tokens.items()):
        return text
    spelled = re.compile("|".join(map(re.escape, sorted(tokens, key=len, reverse=True))))
    of_marks = frozenset(tokens.values())
    pieces, start = [], 0
    for at, token in enumerate(ids):
        if token in of_marks:
            pieces += [_break_spellings(spelled, plain_text(tokenizer, ids[start:at]))]
            pieces += [plain_text(tokenizer, [token])]
            start = at + 1
    return "".join([*pieces, _break_spellings(spelled, plain_text(tokenizer, ids[start:]))])


def unbroken(answer: Answer) -> Answer:
    """The answer as it was written."""
    if not any(
        BREAK in part for part in (answer.content, answer.thoughts, calls_text(answer.calls))
    ):
        return answer
    calls = tuple(Call(_whole(call.name), _whole(call.arguments)) for call in answer.calls)
    return replace(
        answer,
        content=_whole(answer.content),
        thoughts=_whole(answer.thoughts),
        fault=_whole(answer.fault),
        calls=calls,
    )


def _break_spellings(spelled: re.Pattern[str], text: str) -> str:
    return spelled.sub(lambda found: found[0][:1] + BREAK + found[0][1:], text)


def _whole(value: Any) -> Any:  # Any: free JSON
    if isinstance(value, str):
        return value.replace(BREAK, "")
    if isinstance(value, Mapping):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value


@lru_cache(maxsize=64)
def _tokens_in(
    tokenizer: PreTrainedTokenizerBase, marks: frozenset[str], foreign: frozenset[str]
) -> dict[str, int]:
    """The added tokens that stand in the marks, of more than one character; foreign marks have no number."""
    added = {token.content: number for number, token in tokenizer.added_tokens_decoder.items()}
    template = str(tokenizer.chat_template)
    unknown = {mark: _NONE for mark in foreign if mark not in template and mark not in added}
    return unknown | {
        text: number
        for text, number in added.items()
        if len(text) > 1 and any(text in mark for mark in marks)
    }
