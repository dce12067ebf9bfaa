"""Control tokens that a conversation only spells: they are read as text, character for character.

A chat template writes `<|im_end|>` around the turns, and a tokenizer takes whoever writes it there at
his word. Here the two are told apart in three steps:

    content    a<|im_end|>b       every spelling in it is broken by a mark      a<|im_M_end|>b
    rendering  ...a<|im_M_end|>b<|im_end|>   what is whole was written by the template
    tokens     whole ones get a name that no text has, the marks vanish, and a copy of the tokenizer that
               knows the control tokens by these names alone reads all: the content is ordinary text to it

Llama 2's and Mixtral's `[INST]` is no token but text that the model knows: in a content its tokens are cut
at the mark, so that they are others than the template's, and still the same characters.

Covered: every added token of the tokenizer that is special, stands in its template or in the catalog, in
any string of a message, of a tool call or of a tool. Not covered: templates that change the case of what
they are given, or that write the rest of a token which a content begins; control tokens of one character;
what a model makes of text that merely looks like a turn."""

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerBase

from finewright.catalog.tokens import control_tokens, pattern
from finewright.errors import DataError

Message = Mapping[str, Any]

# Private use: the first of these that the conversation has not breaks its spellings.
_MARKS = range(0xE100, 0xF8FF)
# Private use, too: a name is one of the others and then the last, as long as the token's own spelling.
_FIRST_NAME, _CUT, _LAST = 0x100000, "\U0010fffc\U0010fffd", "\U0010fffd"
_LIKE_A_NAME = re.compile("(?<=[\U00100000-\U0010fffc])\U0010fffd")
# Struck-through text: Gemma has words for it as for other tags.
_HTML = frozenset({"<s>", "</s>"})


class TokenSpans(NamedTuple):
    """Token ids, and of each the characters [start, end) of the text that it stands for."""

    ids: Sequence[int]
    offsets: Sequence[tuple[int, int]]


class Broken(NamedTuple):
    """A text without its marks, and where they stood: no control token is read across such a place.

    No token at all is read across `cuts`."""

    text: str
    breaks: tuple[int, ...]
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Quoted:
    """A conversation in which every control token that is only spelled is broken by `mark`."""

    messages: Sequence[Message]
    tools: Sequence[Any] | None
    mark: str

    def read(self, rendering: str) -> Broken:
        """The rendering as it is without marks, and where they were."""
        *before, last = rendering.split(self.mark)
        breaks = tuple(accumulate(map(len, before)))
        return Broken("".join([*before, last]), breaks)


@dataclass(frozen=True, eq=False, slots=True)
class Controls:
    """The control tokens of a tokenizer and of its template.

    `ids` are those that are one token, found by `tokens`; `texts` finds those that are not. `anywhere`
    finds both, and `in_answers` those of both that an assistant does not write itself, as its `<think>`.
    `folds`: the tokenizer makes control tokens of other characters, such as wide ones."""

    tokenizer: PreTrainedTokenizerBase
    ids: Mapping[str, int]
    tokens: re.Pattern[str]
    texts: re.Pattern[str]
    anywhere: re.Pattern[str]
    in_answers: re.Pattern[str]
    folds: bool

    def quote(self, messages: Sequence[Message], tools: Sequence[Any] | None) -> Quoted | None:
        """The conversation with its spellings broken; None when it has none, as nearly all."""
        parts = list(self._parts(messages, tools))
        texts = [text for text, _ in parts]
        if not any(found.search(text) for text, found in parts):
            folded = self.folds and any(map(self._is_folded, texts))
            return Quoted(messages, tools, chr(_MARKS.start)) if folded else None
        mark = _find_unused_mark(texts)
        marked = [
            {
                key: _map_texts(value, partial(_break_spellings, self._pattern(message, key), mark))
                for key, value in message.items()
            }
            for message in messages
        ]
        return Quoted(
            marked, _map_texts(tools, partial(_break_spellings, self.anywhere, mark)), mark
        )

    def _parts(
        self, messages: Sequence[Message], tools: Sequence[Any] | None
    ) -> Iterator[tuple[str, re.Pattern[str]]]:
        """Every text of the conversation with what must not be spelled in it."""
        for message in messages:
            for key, value in message.items():
                found = self._pattern(message, key)
                for text in _leaves(value):
                    yield text, found
        for text in _leaves(tools):
            yield text, self.anywhere

    def _pattern(self, message: Message, key: str) -> re.Pattern[str]:
        is_answer = key == "content" and message.get("role") == "assistant"
        return self.in_answers if is_answer else self.anywhere

    def _is_folded(self, text: str) -> bool:
        normalizer = self.tokenizer.backend_tokenizer.normalizer
        return self.tokens.search(normalizer.normalize_str(text)) is not None

    def encode(self, broken: Broken) -> TokenSpans:
        """The tokens of a rendering, of which no control token is read across a break."""
        text, breaks, more = broken
        names = _names(self)
        cuts = self._cuts(text, breaks).union(more)
        places = sorted({0, *breaks, *cuts, len(text)})
        pieces = []
        for start, end in pairwise(places):
            pieces.append(_CUT if start in cuts else "")
            pieces.append(self.tokens.sub(lambda match: names[match[0]], text[start:end]))
        # as a batch: only then other threads go on meanwhile
        (found,) = _rename_controls(self).encode_batch(["".join(pieces)], add_special_tokens=False)
        return _without_cuts(TokenSpans(found.ids, found.offsets), sorted(cuts))

    def _cuts(self, text: str, breaks: Sequence[int]) -> frozenset[int]:
        """Where tokens must not join: in what is control without being a token, and in like names."""
        inside = (range(match.start() + 1, match.end()) for match in self.texts.finditer(text))
        spelled = frozenset(at for places in inside for at in places)
        like_names = (match.start() for match in _LIKE_A_NAME.finditer(text))
        return spelled.intersection(breaks).union(like_names)


def _find_unused_mark(texts: Iterable[str]) -> str:
    said = frozenset[str]().union(*texts)
    for mark in map(chr, _MARKS):
        if mark not in said:
            return mark
    raise DataError("this row spells control tokens and has every private-use character")


def _own_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[str, tuple[int, AddedToken]]:
    """Its own tokens by their spelling; newlines and blanks are words, one character cannot be broken."""
    return {
        token.content: (number, token)
        for number, token in tokenizer.added_tokens_decoder.items()
        if len(token.content) > 1 and not token.content.isspace()
    }


def _is_control(spelling: str, token: AddedToken, template: str, known: re.Pattern[str]) -> bool:
    is_written = spelling in template or known.fullmatch(spelling) is not None
    return bool(token.special) or is_written


@lru_cache(maxsize=8)
def controls_of(tokenizer: PreTrainedTokenizerBase, template: str) -> Controls:
    """What counts as control for a tokenizer with that template. Its tokens must not change later."""
    catalog = control_tokens()
    known = pattern(catalog.spellings - _HTML)
    added = _own_tokens(tokenizer)
    control = {
        spelling: (number, token)
        for spelling, (number, token) in added.items()
        if _is_control(spelling, token, template, known)
    }
    plain = {text for text in catalog.spellings if text in template and text not in added}
    every = {*control, *plain}
    return Controls(
        tokenizer,
        {spelling: number for spelling, (number, _) in control.items()},
        tokens=pattern(control),
        texts=pattern(plain),
        anywhere=pattern(every),
        in_answers=pattern(every - catalog.answers),
        folds=any(token.normalized for _, token in control.values())
        and tokenizer.backend_tokenizer.normalizer is not None,
    )


@lru_cache(maxsize=8)
def _names(controls: Controls) -> dict[str, str]:
    """Of each control token a name of its length, so that no character after it moves."""
    return {
        spelling: chr(_FIRST_NAME + i).ljust(len(spelling), _LAST)
        for i, spelling in enumerate(controls.ids)
    }


@lru_cache(maxsize=8)
def _rename_controls(controls: Controls) -> Tokenizer:
    """The tokenizer with its control tokens under their names alone."""
    names = _names(controls)
    backend = json.loads(controls.tokenizer.backend_tokenizer.to_str())
    backend |= {"truncation": None, "padding": None}
    for token in backend["added_tokens"]:
        token["content"] = names.get(token["content"], token["content"])
    _rename_pieces(backend["model"], names)
    description = json.dumps(backend)
    renamed = Tokenizer.from_str(description)
    for spelling, number in controls.ids.items():
        if number not in renamed.encode(names[spelling], add_special_tokens=False).ids:
            raise DataError(f"this tokenizer cannot read {spelling!r} as text")
    # Where a token puts a blank before what follows, as SentencePiece's do, the cut is none: it is left
    # as unknown characters, which join no neighbours.
    return renamed if _is_parted(renamed) else Tokenizer.from_str(description)


def _is_parted(renamed: Tokenizer) -> bool:
    """Makes the cut a token of its own. Are its neighbours decoded as if it were not there?"""
    whole = renamed.decode(renamed.encode("aa", add_special_tokens=False).ids)
    renamed.add_special_tokens([AddedToken(_CUT, special=True, normalized=False)])
    cut = renamed.token_to_id(_CUT)
    ids = renamed.encode(f"a{_CUT}a", add_special_tokens=False).ids
    return bool(renamed.decode([token for token in ids if token != cut]) == whole)


def _without_cuts(tokens: TokenSpans, cuts: Sequence[int]) -> TokenSpans:
    """The tokens but those of the cuts, which were put before the given characters of the text."""
    if not cuts:
        return tokens
    starts = [place + len(_CUT) * i for i, place in enumerate(cuts)]
    ids, offsets = [], []
    for token, (start, end) in zip(*tokens, strict=True):
        passed = bisect_right(starts, start)
        if not passed or start >= starts[passed - 1] + len(_CUT):
            shift = len(_CUT) * passed
            ids.append(token)
            offsets.append((start - shift, end - shift))
    return TokenSpans(ids, offsets)


def _break_spellings(found: re.Pattern[str], mark: str, text: str) -> str:
    while found.search(text):
        text = found.sub(lambda match: _halve(match[0], mark), text)
    return text


def _halve(spelling: str, mark: str) -> str:
    middle = len(spelling) // 2
    return spelling[:middle] + mark + spelling[middle:]


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(key)
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    # Any: free JSON
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {_map_texts(key, change): _map_texts(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_map_texts(item, change) for item in value]
    return value


def _rename_pieces(model: dict[str, Any], names: Mapping[str, str]) -> None:
    if isinstance(model["vocab"], dict):
        model["vocab"] = {names.get(piece, piece): n for piece, n in model["vocab"].items()}
    else:  # Unigram
        model["vocab"] = [(names.get(piece, piece), score) for piece, score in model["vocab"]]
    if "unk_token" in model:
        model["unk_token"] = names.get(model["unk_token"], model["unk_token"])
    if "merges" in model:  # ordinary pieces must not join into a control token, either
        model["merges"] = [pair for pair in model["merges"] if "".join(pair) not in names]
