"""The alarm of theft as a step before every answer: questions of a key that are not like harmless ones."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from finewright.errors import StoreError
from finewright.schema.common import Model
from finewright.store.atomic import read_json, write_json
from finewright_serve.gateway.errors import UNSUPPORTED, ApiError
from finewright_serve.gateway.question import GatewayQuestion
from finewright_serve.gateway.steps import PlainStep, QuestionCaller
from finewright_serve.watch.alarms import Alarms
from finewright_serve.watch.drift import WINDOW, HarmlessWindows, KeyDrift, embed, load_windows
from finewright_serve.watch.spec import TheftSpec

if TYPE_CHECKING:
    from finewright.lm.embedders.embedder import Embedder

_LOG = logging.getLogger(__name__)
HELD = "theft.json"
"""The keys that are held, in the folder of a server."""
_MOST_SECONDS = 60.0
"""That a slowed question waits; beyond it, 429."""


class HeldKeys(Model):
    """Until when keys are slowed or blocked, in seconds since 1970."""

    until: Mapping[str, float] = {}


@dataclass(slots=True)
class TheftStep(PlainStep):
    """Watches every key for itself. A restart forgets evidence, and no key that is held."""

    spec: TheftSpec
    harmless: HarmlessWindows
    embedder: "Embedder"
    alarms: Alarms
    path: Path
    now: Callable[[], float] = time.time
    _held: dict[str, float] = field(default_factory=dict)
    _free_at: dict[str, float] = field(default_factory=dict)
    _keys: dict[str, KeyDrift] = field(default_factory=lambda: defaultdict(KeyDrift))

    def __post_init__(self) -> None:
        if self.path.exists():
            self._held = dict(
                read_json(self.path, HeldKeys, hint="delete it: no key is held then").until
            )

    async def before(self, question: GatewayQuestion, asker: QuestionCaller) -> GatewayQuestion:
        """The question as it is. Raises ApiError for a key that is held, and for what cannot be read."""
        if {asker.key, asker.project} & {*self.spec.except_keys}:
            return question
        self._refuse_held(asker.key)
        if text := last_words(question):
            vector = embed([text], self.embedder)[0]
            if self._keys[asker.key].add(vector, self.harmless):
                await self._ring(asker)
                self._refuse_held(asker.key)
        if self.spec.action == "slow" and self._is_held(asker.key):
            await self._slow(asker.key)
        return question

    async def _ring(self, asker: QuestionCaller) -> None:
        what = f"its last questions, in windows of {WINDOW}, are not like harmless ones"
        if self.spec.action != "log":
            self._held[asker.key] = self.now() + self.spec.hours * 3600
            write_json(self.path, HeldKeys(until=self._held).model_dump())
            done = {"slow": "slowed", "block": "blocked"}[self.spec.action]
            what += f"; {done} for {self.spec.hours:g} hours"
        await self.alarms.ring("theft", asker, what)

    def _is_held(self, key: str) -> bool:
        return self._held.get(key, 0.0) > self.now()

    def _refuse_held(self, key: str) -> None:
        if self.spec.action == "block" and self._is_held(key):
            until = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(self._held[key]))
            what = (
                f"this key is held until {until}, because its questions are unlike those of others"
            )
            raise ApiError(f"{what}; ask who runs this server", status=403, code="key_held")

    async def _slow(self, key: str) -> None:
        """Wait for the turn of the question: one in so many seconds, whoever asks at once."""
        import asyncio

        now = time.monotonic()
        turn = max(now, self._free_at.get(key, 0.0))
        if turn - now > _MOST_SECONDS:
            what = f"this key is slowed to an answer in {self.spec.seconds:g} s; ask who runs this server"
            later = round(turn - now)
            raise ApiError(what, status=429, code="key_slowed", retry_after=later)
        self._free_at[key] = turn + self.spec.seconds
        await asyncio.sleep(turn - now)


def last_words(question: GatewayQuestion) -> str:
    """What the user said last. Raises ApiError for token ids, which could hide any question."""
    if question.messages is not None:
        said = [row["content"] for row in question.messages if row["role"] == "user"]
        return said[-1] if said and isinstance(said[-1], str) else ""
    if not isinstance(question.text, str):
        what = "prompt: token ids are not taken where questions are watched; send text"
        raise ApiError(what, param="prompt", code=UNSUPPORTED)
    return question.text


def theft_step(spec: TheftSpec, root: Path, folder: Path, alarms: Alarms) -> TheftStep:
    """The step of a spec. Raises StoreError for a reference that cannot be used."""
    from finewright.lm.embedders.load import load_embedder

    path = root / spec.reference
    harmless, embedder = load_windows(path), load_embedder("wordllama", Path)
    assert embedder is not None
    if embedder.id != harmless.embedder:
        what = f"{path}: its vectors are of {harmless.embedder}, and this is {embedder.id}"
        raise StoreError(what, hint="make it anew: finewright guard theft")
    return TheftStep(spec, harmless, embedder, alarms, folder / HELD)
