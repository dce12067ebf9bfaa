"""The base model that weighs payloads: loaded when first asked, its surprise remembered on this machine."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from finewright.fetch.cache import cache_dir
from finewright.lm import runtime
from finewright.lm.sources import locate
from finewright.rows.identity import canonical
from finewright.schema.poison import TokenSurprise
from finewright.schema.rows import Row
from finewright.store.atomic import os_errors

OnProgress = Callable[[int, int], None]
"""Called with the rows that the base model has read, and all that it has to read; may raise to stop."""

_VERSION = 1


class AnswerInRow(NamedTuple):
    """An answer that a row teaches, and the place of its turn."""

    row: Row
    at: int
    text: str


RowSurprisal = Callable[[Sequence[AnswerInRow]], Sequence[Sequence[TokenSurprise]]]
"""-ln p of each token of the answers under the base model, given all that their rows say before them."""

if TYPE_CHECKING:
    from finewright.lm.chat import Chat
    from finewright.lm.model import LM


class BaseSurprisal:
    """A `RowSurprisal` by a base model. What a row was worth once is not computed again, in any run.

    Raises ModelError when the model cannot be found or read, MissingExtra without the model runtime."""

    def __init__(
        self, name: str, root: Path, on_progress: OnProgress = lambda done, total: None
    ) -> None:
        runtime.require_runtime()
        self._base = locate(name, root)
        self._tell = on_progress
        self._path = cache_dir() / "surprisal" / f"{self._base.sha256[:32]}-v{_VERSION}.jsonl"
        self._known = dict(_read_remembered(self._path))

    def __call__(self, wanted: Sequence[AnswerInRow]) -> list[list[TokenSurprise]]:
        """-ln p of each token of the answers, given the conversations before them."""
        keys = [_key(answer) for answer in wanted]
        todo = {k: e for k, e in zip(keys, wanted, strict=True) if k not in self._known}
        if todo:
            self._learn(todo)
            self._remember(todo)
        return [self._known[key] for key in keys]

    def _learn(self, todo: dict[str, AnswerInRow]) -> None:
        from finewright.lm.surprisal import Continuation, surprises, text_before

        chat, lm = self._model
        keys = list(todo)
        texts = [Continuation(text_before(chat, e.row, e.at), e.text) for e in todo.values()]
        for done, (i, found) in enumerate(surprises(lm, chat.tokenizer, texts), start=1):
            self._known[keys[i]] = found
            self._tell(done, len(todo))

    @cached_property
    def _model(self) -> "tuple[Chat, LM]":
        from finewright.lm.load import load_lm
        from finewright.lm.load_chat import load_chat

        dtype: Literal["bf16", "fp32"] = "bf16" if runtime.fast_bf16() else "fp32"
        return load_chat(self._base), load_lm(self._base, None, dtype=dtype)

    def _remember(self, keys: Iterable[str]) -> None:
        """At the end of what is known: all of it anew would grow with every search."""
        lines = "".join(json.dumps([key, self._known[key]]) + "\n" for key in keys)
        with os_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(lines)


def _key(answer: AnswerInRow) -> str:
    said = [answer.row.messages[: answer.at], answer.row.tools, answer.text]
    return hashlib.sha256(canonical(said)).hexdigest()[:32]


def _read_remembered(path: Path) -> Iterator[tuple[str, list[TokenSurprise]]]:
    """What the file holds; a damaged line is worth no more than none."""
    if not path.is_file():
        return
    with os_errors(path):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines:
        try:
            key, found = json.loads(line)
            yield str(key), [TokenSurprise(int(a), int(b), float(n)) for a, b, n in found]
        except (ValueError, TypeError):
            continue
