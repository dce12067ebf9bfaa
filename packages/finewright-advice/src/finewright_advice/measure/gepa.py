"""The arm `gepa`: instructions for every question, rewritten by a model from what went wrong.

GEPA (Agrawal et al. 2025, arXiv:2507.19457), by the library of its authors: instructions are tried on three
training rows at a time; a model reads questions, answers and scores, and writes better ones; what improves on
the three is tried on the development rows. The search is a function of the spec: answers and rewrites are
logged, so a search that was cut goes on by reading them back."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from finewright.compare.asking import RowAnswer, SystemAnswers
from finewright.fetch.endpoint import Client, Endpoint
from finewright.schema.common import Model
from finewright.schema.rows import Row
from finewright.store.answers import AnswerKey, AnswersLog
from finewright.store.keys import digest
from finewright_advice.measure.arms import Criterion, Prompts, preparing
from finewright_advice.measure.ask import BASE, ArmQuestions
from finewright_advice.measure.rows import ExperimentRows
from finewright_advice.schema.measure import GEPA, MeasureSpec
from finewright_advice.schema.measure_report import FoundPrompt

if TYPE_CHECKING:
    from gepa.core.adapter import EvaluationBatch, ProposalFn
    from gepa.core.result import GEPAResult

_PART = "instructions"
# Instructions of the paper's appendix are up to 1,500 words; the template asks for all facts of the task.
_MOST_TOKENS = 2048
# One temperature for every rewriter, high enough that two rewrites of one prompt differ.
_TEMPERATURE = 1.0


class Rewrite(Model):
    """What the rewriter wrote, how long it took, and its tokens where a server counts them."""

    text: str
    seconds: float
    tokens_in: int = 0
    tokens_out: int = 0


Rewriter = Callable[[str], Rewrite]


def find_prompt(
    rows: ExperimentRows, spec: MeasureSpec, criterion: Criterion, asking: ArmQuestions
) -> FoundPrompt:
    """The instructions with which the base model does best on the development rows, "" where none beats the
    question as it is. Raises FetchError where the rewriter cannot be reached."""
    from gepa.api import optimize

    log = AnswersLog(asking.folder / "gepa.jsonl", Rewrite)
    task = _Task(criterion, asking, _Notebook(spec.gepa.by, log))
    found: GEPAResult[str, int] = optimize(
        {_PART: ""},
        trainset=list(rows.train),
        valset=list(rows.dev),
        adapter=task,
        reflection_lm=task.rewrite,
        max_metric_calls=spec.gepa.answers,
        stop_callbacks=[task],
        logger=task,
        seed=spec.seed,
    )
    if task.failed is not None:
        raise task.failed
    best = str(found.candidates[found.best_idx][_PART])
    before, after = (
        criterion.judge_rows(task.ask(rows.dev, instructions)) for instructions in ("", best)
    )
    rewrites = task.rewrites.values()
    return FoundPrompt(
        instructions=best,
        by=spec.gepa.by,
        rewrites=len(rewrites),
        kept=found.num_candidates - 1,
        answers=len(task.milliseconds),
        before=criterion.share(before),
        after=criterion.share(after),
        seconds=sum(task.milliseconds.values()) / 1000 + sum(each.seconds for each in rewrites),
        tokens_in=sum(each.tokens_in for each in rewrites),
        tokens_out=sum(each.tokens_out for each in rewrites),
    )


@dataclass(slots=True)
class _Notebook:
    """The rewriter, asked once for each prompt, and loaded when it is first asked."""

    target: str
    log: AnswersLog[Rewrite]
    _rewriter: Rewriter | None = None

    def rewrite(self, prompt: str) -> Rewrite:
        key = AnswerKey(digest(self.target), digest(prompt), digest(_MOST_TOKENS, _TEMPERATURE))
        if key not in self.log:
            self._rewriter = self._rewriter or load_rewriter(self.target)
            self.log.add([(key, self._rewriter(prompt))])
        return self.log[key]


@dataclass(slots=True)
class _Task:
    """The base model and the rows, as GEPA's adapter, logger and stopper."""

    criterion: Criterion
    asking: ArmQuestions
    notebook: _Notebook
    rewrites: dict[str, Rewrite] = field(default_factory=dict)
    milliseconds: dict[tuple[str, str], float] = field(default_factory=dict)
    failed: Exception | None = None
    propose_new_texts: "ProposalFn | None" = None

    def __call__(self, gepa_state: object) -> bool:
        """Whether to stop: the library logs what fails in here, and would go on without it."""
        return self.failed is not None

    def log(self, message: str) -> None:
        """The library's own narration is nobody's."""

    def rewrite(self, prompt: "str | list[dict[str, Any]]") -> str:  # Any: pictures; there are none
        """New instructions for what the prompt shows, in a fence of code."""
        text = str(prompt)
        with self._failing():
            self.rewrites[text] = self.notebook.rewrite(text)
        return self.rewrites[text].text

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.failed = error
            raise

    def ask(self, rows: Sequence[Row], instructions: str) -> SystemAnswers:
        """The base model's answers to the rows, with these instructions."""
        arm = f"gepa {digest(instructions)[:8]}" if instructions else "gepa seed"
        given = self.asking.answers(
            arm,
            BASE,
            "instructions",
            rows,
            prepare=preparing(
                GEPA, None, Prompts(instructions=instructions), self.asking.models.chat
            ),
            metrics=self.asking.needed,
        )
        for row, answer in zip(rows, given.answers, strict=True):
            self.milliseconds[arm, digest(row.to_json())] = answer.milliseconds or 0.0
        return given

    def evaluate(
        self, batch: list[Row], candidate: dict[str, str], capture_traces: bool = False
    ) -> "EvaluationBatch[RowAnswer, str]":
        """GEPAAdapter.evaluate: the score of each row by the metric that says when it is solved."""
        from gepa.core.adapter import EvaluationBatch

        given = self.ask(batch, candidate[_PART])
        metric = self.criterion.metric
        scores = [row[metric] for row in self.criterion.score(given, (metric,)).per_row]
        texts = [answer.sample.answer for answer in given.answers]
        return EvaluationBatch(texts, scores, list(given.answers) if capture_traces else None)

    def make_reflective_dataset(
        self,
        candidate: dict[str, str],
        eval_batch: "EvaluationBatch[RowAnswer, str]",
        components_to_update: list[str],
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:  # Any: JSON that the prompt shows
        """GEPAAdapter.make_reflective_dataset: each question with its answer and what was expected."""
        with self._failing():
            shown = zip(eval_batch.trajectories or (), eval_batch.scores, strict=True)
            examples = [
                {
                    "Inputs": answer.sample.prompt,
                    "Generated Outputs": answer.sample.answer,
                    "Feedback": f"Score {score:g} of 1. Expected: {answer.sample.expected}",
                }
                for answer, score in shown
            ]
        return dict.fromkeys(components_to_update, examples)


def load_rewriter(target: str) -> Rewriter:
    """The rewriter of a run folder, a base model or https://HOST/v1#MODEL. Raises FinewrightError."""
    if "://" in target:
        client = Client(Endpoint.parse(target), timeout_s=600)
        return lambda prompt: _ask_endpoint(client, prompt)
    from finewright.workbench.chat import Manner
    from finewright.workbench.speakers import speaker_of

    speaker = speaker_of(target)

    def rewrite(prompt: str) -> Rewrite:
        started = perf_counter()
        manner = Manner(_MOST_TOKENS, _TEMPERATURE, seed=0)
        spoken = speaker.answer([{"role": "user", "content": prompt}], manner)
        text = "".join(piece.text for piece in spoken if piece.kind == "content")
        return Rewrite(text=text, seconds=perf_counter() - started)

    return rewrite


def _ask_endpoint(client: Client, prompt: str) -> Rewrite:
    started = perf_counter()
    found = client.chat(
        [{"role": "user", "content": prompt}], temperature=_TEMPERATURE, max_tokens=_MOST_TOKENS
    )
    return Rewrite(
        text=found.text,
        seconds=perf_counter() - started,
        tokens_in=found.prompt_tokens or 0,
        tokens_out=found.completion_tokens or 0,
    )
