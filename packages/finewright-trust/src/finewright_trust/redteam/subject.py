"""What is attacked: a run, whose base answers the same prompts, or a served address."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from finewright.errors import DataError
from finewright.schema.rows import Message, Row, content_of, parse_rows
from finewright.store.keys import digest
from finewright.store.rundir import RunDir
from finewright_trust.redteam.finding import BASE, TUNED
from finewright_trust.redteam.spec import Kind, RedteamSpec

if TYPE_CHECKING:
    from finewright.compare.local import LoadedModel
    from finewright.lm.model import LM
    from finewright.schema.run import RunSpec
    from finewright.schema.train import Candidate

OnProgress = Callable[[str, int, int], None]
"""Called with what is done, how much of it, and of how much; may raise to stop."""

_AT_ONCE = 32


class AttackPrompt(NamedTuple):
    """A conversation that ends with the turn to be answered, and the tools that are offered."""

    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = ()  # Any: OpenAI's form

    @property
    def text(self) -> str:
        """All turns, as evidence shows them."""
        return "\n".join(f"{m['role']}: {content_of(m)}" for m in self.messages)


def ask_user(text: str, system: str = "") -> AttackPrompt:
    """One turn of a user, below a system prompt where there is one."""
    first: tuple[Message, ...] = ({"role": "system", "content": system},) if system else ()
    return AttackPrompt((*first, {"role": "user", "content": text}))


class SystemReply(NamedTuple):
    """What a system says, and the tools that it calls, each as its name and arguments in JSON."""

    text: str
    calls: tuple[str, ...] = ()


@dataclass
class Subject:
    """What is attacked, as every attack sees it; one for runs alone is given a `RunSubject`.

    `name` and `options` are what the user wrote, for who repeats it. `systems` are who answers, the attacked
    one last. `system_prompt` is what the model is asked with where an attack brings none of its own."""

    name: str
    on_progress: OnProgress
    systems: tuple[str, ...]
    system_prompt: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    kind: Kind = "address"
    _said: dict[str, SystemReply] = field(default_factory=dict)

    @property
    def questions(self) -> Sequence[str]:
        """What users ask it: of its own task, as far as that is known."""
        raise NotImplementedError

    def fits(self, prompt: AttackPrompt, spec: RedteamSpec) -> bool:
        """Is the prompt within the spec's length, and does it leave the model room to answer?"""
        raise NotImplementedError

    def ask(
        self, system: str, prompts: Sequence[AttackPrompt], max_new_tokens: int
    ) -> Sequence[SystemReply]:
        """Greedy answers of one system to some prompts."""
        raise NotImplementedError

    def answers(
        self, prompts: Sequence[AttackPrompt], max_new_tokens: int
    ) -> Mapping[str, Sequence[SystemReply]]:
        """The answers of each system to each prompt; see `answers_of`."""
        return {name: self.answers_of(name, prompts, max_new_tokens) for name in self.systems}

    def answers_of(
        self, system: str, prompts: Sequence[AttackPrompt], most: int
    ) -> list[SystemReply]:
        """Greedy answers of one system, of at most so many tokens; none is asked for twice."""
        keys = [digest(system, prompt.messages, prompt.tools, most) for prompt in prompts]
        missing = [i for i, key in enumerate(keys) if key not in self._said]
        for start in range(0, len(missing), _AT_ONCE):
            self.on_progress(f"asking {system}", start, len(missing))
            some = missing[start : start + _AT_ONCE]
            said = self.ask(system, [prompts[i] for i in some], most)
            self._said |= {keys[i]: reply for i, reply in zip(some, said, strict=True)}
        return [self._said[key] for key in keys]


@dataclass(kw_only=True)
class RunSubject(Subject):
    """A run: the base that it was trained from, then its tuned model, both in this process."""

    run: RunDir
    candidate: "Candidate"
    model: "LoadedModel"
    spec: "RunSpec"
    systems: tuple[str, ...] = (BASE, TUNED)
    kind: Kind = "run"

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.run.root

    @cached_property
    def train_rows(self) -> list[Row]:
        """The rows that the run learned from."""
        return self._rows("train.jsonl")

    @cached_property
    def held_out_rows(self) -> list[Row]:
        """The rows that the run held out, and did not learn from; none where it held none out."""
        files = [Path("eval.jsonl"), *sorted(self._data.glob("evaluate/*.jsonl"))]
        found = [row for file in files for row in self._rows(str(file))]
        return list({row.id: row for row in found}.values())

    @cached_property
    def questions(self) -> Sequence[str]:
        """The last thing said before the answer of its held-out rows, or else of those it learned from."""
        rows = self.held_out_rows or self.train_rows
        return last_turns(rows)

    def fits(self, prompt: AttackPrompt, spec: RedteamSpec) -> bool:
        """See `Subject`."""
        from finewright.evaluate.answers import reads_of

        try:
            length = len(self._ids(prompt)[1])
        except DataError:  # the template has no place for a turn of it
            return False
        reads = reads_of(self.model.lm)
        is_short = length <= spec.max_prompt_tokens
        return is_short and (reads is None or length + spec.max_new_tokens <= reads)

    @contextmanager
    def as_system(self, name: str) -> "Iterator[LM]":
        """The model as the base, or as it was tuned, for as long as the block lasts."""
        lm = self.model.lm
        if name == self.systems[-1]:
            yield lm
        elif lm.has_reference:
            with lm.reference():
                yield lm
        else:
            yield self._whole_base

    @cached_property
    def _whole_base(self) -> "LM":
        """The base in a second copy, where every weight was trained."""
        from finewright.lm.load import load_lm
        from finewright.store.speclock import lock_of
        from finewright.train.trained import find_trained_base

        lock = lock_of(self.run)
        base = find_trained_base(self.run, self.candidate)
        consent = lock.spec.remote_code.get(base.name, "")
        dtype = lock.candidates[base.name].dtype
        assert dtype != "auto"
        return load_lm(base, None, dtype=dtype, consent=consent)

    @property
    def _data(self) -> Path:
        return self.run.root / "data"

    def _rows(self, name: str) -> list[Row]:
        path = self._data / name
        return parse_rows(path.read_text(encoding="utf-8")) if path.is_file() else []

    def tokens_of(self, prompt: AttackPrompt) -> tuple[int, ...]:
        """The prompt as the model reads it."""
        return self._ids(prompt)[1]

    def _ids(self, prompt: AttackPrompt) -> tuple[str, tuple[int, ...]]:
        chat = self.model.chat
        rendered = chat.whole_prompt(prompt.messages, prompt.tools or None)
        return rendered.text, tuple(chat.tokens(rendered).ids)

    def ask(
        self, system: str, prompts: Sequence[AttackPrompt], max_new_tokens: int
    ) -> Sequence[SystemReply]:
        """See `Subject`."""
        with self.as_system(system) as lm:
            return self._generate(lm, prompts, max_new_tokens)

    def _generate(self, lm: "LM", prompts: Sequence[AttackPrompt], most: int) -> list[SystemReply]:
        from finewright.lm.answers.reader import answer_of_tokens
        from finewright.lm.generate import Sampling, generate

        chat = self.model.chat
        lm.model.eval()
        texts, ids = zip(*(self._ids(prompt) for prompt in prompts), strict=True)
        sampling = Sampling(max_new_tokens=most)
        made = generate(lm, ids, stop_ids=chat.stop_ids, sampling=sampling)
        replies = []
        for prompt, text, one in zip(prompts, texts, made, strict=True):
            answer = answer_of_tokens(
                chat, one.ids, prompt=text, tools=prompt.tools or None, ended=one.stopped
            )
            calls = (json.dumps([call.name, call.arguments]) for call in answer.calls)
            replies.append(SystemReply(answer.content, tuple(calls)))
        return replies


def last_turns(rows: Sequence[Row]) -> list[str]:
    """What is said last before the answer of each row, each text once."""
    said = (content_of(row.prompt[-1]) for row in rows if row.prompt)
    return list(dict.fromkeys(text for text in said if text))
