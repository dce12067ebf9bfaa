"""Who judges: a model in this process, by the probabilities of its verdicts, or one behind an address.

A local judge writes nothing: of the token at which the verdicts part, their probabilities are compared
(G-Eval, Liu et al. 2023), so that it cannot answer nonsense. An endpoint is asked for JSON of a schema; what
it answers beside that is counted, and no verdict."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from finewright.compare.local import LoadedModel
from finewright.errors import DataError, ModelError
from finewright.evaluate.answers import reads_of
from finewright.fetch.endpoint import Client, Endpoint
from finewright.schema.rows import Row

Messages = Sequence[dict[str, str]]
# A reason of two or three sentences before the verdict, as G-Eval's chain of thought.
_REASON_TOKENS = 300


class Verdict(NamedTuple):
    """What a judge says: an option, None where it answered nonsense, and how likely each option was."""

    option: str | None
    shares: dict[str, float]
    reason: str = ""
    tokens_in: int = 0
    tokens_out: int = 0


class AnswerJudge(Protocol):
    """A model that chooses one of several options."""

    @property
    def name(self) -> str:
        """As reports call it."""

    def choose(self, messages: Messages, options: Sequence[str]) -> Verdict:
        """Its verdict."""


@dataclass(frozen=True, slots=True)
class LocalJudge:
    """A model in this process."""

    model: LoadedModel

    @property
    def name(self) -> str:
        """As reports call it."""
        return self.model.name

    def choose(self, messages: Messages, options: Sequence[str]) -> Verdict:
        """The likeliest option. Raises DataError where the question is longer than the model reads."""
        import torch

        from finewright.lm.example import EncodedRow

        lm, (prompt_ids, heads) = self.model.lm, self._encode(messages, options)
        reads = reads_of(lm)
        if reads is not None and len(prompt_ids) > reads:
            raise DataError(
                f"{self.name}: a question of {len(prompt_ids):,} tokens, and it reads {reads:,}",
                hint="a judge with a longer context, or a shorter rubric",
            )
        lm.model.eval()
        with torch.no_grad():
            batch = lm.pack([[EncodedRow(prompt_ids, (False,) * len(prompt_ids))]])
            logits = lm.logits(lm.compute_states(batch)[-1:]).float()
        found = logits[0, list(heads)].double().softmax(0).tolist()
        shares = dict(zip(options, found, strict=True))
        return Verdict(max(shares, key=shares.__getitem__), shares, tokens_in=len(prompt_ids))

    def _encode(
        self, messages: Messages, options: Sequence[str]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The tokens up to where the answers part, and the token with which each goes on.

        Raises ModelError where two of them begin alike."""
        from finewright.lm.encode import encode_row

        spoken = [{"role": "assistant", "content": option} for option in options]
        rows = [
            encode_row(self.model.chat, Row(said["content"], (*messages, said), None, "", 0))
            for said in spoken
        ]
        columns = zip(*(row.input_ids for row in rows), strict=False)
        at, heads = next((i, ids) for i, ids in enumerate(columns) if len(set(ids)) > 1)
        if len(set(heads)) < len(heads):
            raise ModelError(f"{self.name}: its tokens do not tell {', '.join(options)} apart")
        return tuple(rows[0].input_ids[:at]), heads


@dataclass(frozen=True, slots=True)
class EndpointJudge:
    """A model of a server that speaks OpenAI's API, prompt_ids for a reason and a verdict."""

    client: Client

    @property
    def name(self) -> str:
        """As reports call it."""
        return self.client.endpoint.name

    def choose(self, messages: Messages, options: Sequence[str]) -> Verdict:
        """Its verdict, None where its answer is none. Raises FetchError."""
        answer = self.client.chat(
            messages,
            temperature=0,
            max_tokens=_REASON_TOKENS,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "verdict", "strict": True, "schema": _schema(options)},
            },
        )
        option, reason = read_verdict(answer.text, options)
        shares = {option: 1.0} if option else {}
        tokens = (answer.prompt_tokens or 0, answer.completion_tokens or 0)
        return Verdict(option, shares, reason, *tokens)


def read_verdict(text: str, options: Sequence[str]) -> tuple[str | None, str]:
    """The verdict and the reason of a JSON answer; no verdict where it has none of the options."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None, text[:200]
    said = found.get("verdict") if isinstance(found, dict) else None
    option = str(said) if isinstance(said, str | int) and not isinstance(said, bool) else ""
    reason = str(found.get("reason") or "") if isinstance(found, dict) else text[:200]
    return (option if option in options else None), reason


def load_judge(target: str) -> AnswerJudge:
    """The judge of a run folder, a base model or https://HOST/v1#MODEL. Raises FinewrightError."""
    if "://" in target:
        return EndpointJudge(Client(Endpoint.parse(target), timeout_s=600))
    from finewright.workbench.systems import load_talker

    return LocalJudge(load_talker(target))


def _schema(options: Sequence[str]) -> dict[str, Any]:  # Any: JSON Schema
    return {
        "type": "object",
        "properties": {
            "reason": {"type": "string"},
            "verdict": {"type": "string", "enum": list(options)},
        },
        "required": ["reason", "verdict"],
        "additionalProperties": False,
    }
