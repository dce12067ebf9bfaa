"""A model to talk to or to measure: a base model by name, or the tuned model of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from finewright.catalog.models import read_packaged_models
from finewright.compare.local import LoadedModel
from finewright.errors import DataError, ModelError, StoreError
from finewright.evaluate.score import PREFERENCE
from finewright.lm import runtime
from finewright.lm.sources import base_digest, check_name, locate
from finewright.schema.data import DataReport
from finewright.schema.evaluate import LOSS_METRICS, EvaluateSpec, check_thought_tokens
from finewright.schema.label_methods import unfit_metric
from finewright.schema.rows import parse_rows, system_prompt_in
from finewright.schema.run import DAY
from finewright.schema.train import Candidate, TrainReport, TrainSettings
from finewright.schema.train_section import settings_of
from finewright.store.atomic import os_errors
from finewright.store.keys import digest
from finewright.store.rundir import RunDir, is_run, open_run
from finewright.store.speclock import lock_of
from finewright.train.trained import check_result_files, find_trained_base

if TYPE_CHECKING:
    from finewright.labels.decider import Decider

_DRAFT_READS = 8192  # tokens of a text; a longer one goes on without guesses


def load_system(
    target: str,
    *,
    base_model: str = "",
    switches: Mapping[str, Any] | None = None,
    dtype: Literal["bf16", "fp32"] | None = None,
) -> LoadedModel:
    """Load a run's tuned model when `target` is a run folder, else the base model of that name; computed in
    `dtype`, or as it was trained.

    `base_model` picks the candidate of a run with several. A base model's chat template is set by those of
    the `switches` that it knows, a run's as the run's spec has it. Raises ModelError or StoreError."""
    check_target(target, base_model=base_model)
    _refuse_decider(target, base_model)
    runtime.require_runtime()
    if is_run(target):
        return _load_tuned(open_run(Path(target)), base_model, dtype)
    base = locate(target, Path.cwd())
    from finewright.lm.load import load_lm
    from finewright.lm.load_chat import load_chat
    from finewright.lm.template import switches as known_switches

    chat, known, wanted = load_chat(base), frozenset[str](), switches or {}
    if wanted:
        known = known_switches(chat.template.source) | {DAY}
        chat = load_chat(base, options={key: wanted[key] for key in wanted if key in known})
    lm = load_lm(base, None, dtype=dtype or ("bf16" if runtime.fast_bf16() else "fp32"))
    return LoadedModel(base.name, lm, chat, dropped=tuple(sorted(wanted.keys() - known)))


def is_decider(target: str, base_model: str = "") -> bool:
    """Whether the target is a run whose candidate gives labels. Raises StoreError."""
    method = _method_of(target, base_model)
    return method is not None and method.decides


def load_decider(target: str, *, base_model: str = "") -> "Decider":
    """The model of labels of a run. Raises StoreError where its files have changed since it was trained."""
    from finewright.labels.decider import load_linear
    from finewright.labels.features import features_digest

    runtime.require_runtime()
    run = open_run(Path(target))
    candidate, root = candidate_of(run, base_model), Path(lock_of(run).root)
    if not settings_of(candidate.method).on_features:
        from finewright.labels.on_lm import decider_on

        loaded = _load_tuned(run, base_model, None)
        return decider_on(run.root / candidate.adapter, loaded.name, loaded.lm, loaded.chat)
    check_result_files(run, candidate)
    if features_digest(candidate.base_model, root) != candidate.base_sha256:
        raise StoreError(
            f"{target}: the features {candidate.base_model} have changed since this run was trained on them",
            hint="put the old ones back, or train again",
        )
    return load_linear(run.root / candidate.adapter, run.root.resolve().name, root)


def _refuse_decider(target: str, base_model: str) -> None:
    method = _method_of(target, base_model)
    if method is not None and method.decides and not method.writes_text:
        raise StoreError(
            f"{target}: a model of labels is no language model",
            hint="`predict`, `evaluate` and POST /v1/decisions of `serve` ask it",
        )


def _method_of(target: str, base_model: str) -> type[TrainSettings] | None:
    """The method that a run's candidate was trained by; None for what is no run."""
    if not is_run(target):
        return None
    return settings_of(candidate_of(open_run(Path(target)), base_model).method)


def refuse_thoughts(max_thought_tokens: int | None, max_new_tokens: int) -> None:
    """Raise DataError where thoughts may use up the whole answer."""
    try:
        check_thought_tokens(max_thought_tokens, max_new_tokens)
    except ValueError as error:
        raise DataError(
            str(error), hint="lower --max-thought-tokens, or raise --max-new-tokens"
        ) from None


def switches_of(target: str) -> Mapping[str, Any]:  # Any: free JSON
    """How a run sets the switches of its chat template; nothing for a base model."""
    return lock_of(open_run(Path(target))).spec.chat_template if is_run(target) else {}


def load_talker(target: str, *, base_model: str = "") -> LoadedModel:
    """`load_system` for who wants answers: a base model is told the day of the question.

    Raises StoreError for a reward model, which has none."""
    check_target(target, base_model=base_model)
    if is_run(target):
        candidate = candidate_of(open_run(Path(target)), base_model)
        if not settings_of(candidate.method).gives_answers:
            raise StoreError(
                f"{target}: a reward model rates answers and gives none",
                hint="let one learn from it: train.rewards with function reward_model:RUN",
            )
    return load_system(target, base_model=base_model, switches={DAY: "today"})


def with_draft(system: LoadedModel, draft: str) -> LoadedModel:
    """The model with a smaller one, a run or a base model, that guesses tokens ahead.

    Raises ModelError for one of another vocabulary, and where a guess could change an answer."""
    if system.lm.device.type != "cpu" or system.lm.slow_answers:
        why = system.lm.slow_answers or "on a GPU a step's size moves its rounding"
        raise ModelError(
            f"draft model {draft}: {system.name} takes no guesses, which could change its answers: {why}",
            hint="leave the draft model out",
        )
    from finewright.evaluate.answers import reads_of
    from finewright.lm.engine.draft import refuse_other_vocabulary
    from finewright.lm.engine.ready import draft_guesses

    small = load_talker(draft)
    refuse_other_vocabulary(draft, small.chat.tokenizer, system.chat.tokenizer)
    vocab_size = system.lm.model.get_output_embeddings().weight.shape[0]
    reads = [each for each in (reads_of(system.lm), reads_of(small.lm)) if each]
    most = min([*reads, _DRAFT_READS])
    return replace(system, draft=draft_guesses(small.lm, most, vocab_size))


def _load_tuned(run: RunDir, base_model: str, dtype: Literal["bf16", "fp32"] | None) -> LoadedModel:
    from finewright.evaluate.answers import rating
    from finewright.lm.load import load_lm
    from finewright.lm.load_chat import chat_of

    candidate, lock = candidate_of(run, base_model), lock_of(run)
    base = find_trained_base(run, candidate)
    consent = lock.spec.remote_code.get(base.name, "")
    own = lock.candidates[base.name].dtype
    assert own != "auto"
    lm = load_lm(base, run.root / candidate.adapter, dtype=dtype or own, consent=consent)
    name = run.root.resolve().name
    chat = chat_of(base, lock.spec)
    rate = rating(run.root / candidate.adapter, lm)
    return LoadedModel(name, lm, chat, rate, system_prompt_of(run))


def system_prompt_of(run: RunDir) -> str:
    """The system prompt that every row of the run was trained with; empty when they differ."""
    if not run.report_path("data").is_file():  # a merge has no rows of its own
        return ""
    artifact = run.read_report("data", DataReport).train
    with os_errors(run.root / artifact.path):
        rows = parse_rows((run.root / artifact.path).read_text(encoding="utf-8"))
    return system_prompt_in(rows)


def measured_length(target: str) -> int:
    """The longest answer in tokens that a run was measured with; of any other model, a spec's default."""
    measured = lock_of(open_run(Path(target))).spec.evaluate if is_run(target) else EvaluateSpec()
    return measured.max_new_tokens


def check_target(target: str, *, base_model: str = "") -> None:
    """Raise what `load_system` would, as far as it can be told without loading anything."""
    if is_run(target):
        candidate_of(open_run(Path(target)), base_model)
        return
    if target not in read_packaged_models() and (what := _no_system(Path(target))):
        raise StoreError(f"{target}: {what}", hint="`finewright runs list` shows the runs")
    check_name(target, Path.cwd())


def _no_system(path: Path) -> str:
    """Why the path is of no model, as far as that can be told; a hub id has the form of a path."""
    if path.is_dir() and not (path / "config.json").is_file():
        return "neither a run folder nor a model's"
    # One whose first part is a folder here, or the usual folder of runs, is meant as a path.
    is_local = len(path.parts) > 1 and (path.parent.is_dir() or path.parts[0] == "runs")
    is_lost = is_local and not path.exists()
    return "there is no such run or model" if is_lost else ""


def target_sha256(target: str, *, base_model: str = "") -> str:
    """A digest of what answers: of a run its base and adapter, else the base model."""
    if is_run(target):
        candidate = candidate_of(open_run(Path(target)), base_model)
        files = [[a.path, a.sha256] for a in candidate.artifacts if a.kind == "adapter"]
        return digest(candidate.base_sha256, files)
    return base_digest(target, Path.cwd())


def check_measures(target: str, metrics: Sequence[str], *, base_model: str = "") -> None:
    """Raise StoreError when the target is a reward model and a metric wants answers of it."""
    if not is_run(target):
        return
    others = [metric for metric in metrics if metric != PREFERENCE]
    run = open_run(Path(target))
    candidate = candidate_of(run, base_model)
    if why := unfit_metric(lock_of(run).spec.train, metrics):
        raise StoreError(f"{target}: {why}")
    of_text = [metric for metric in metrics if metric in (PREFERENCE, *LOSS_METRICS)]
    if of_text and settings_of(candidate.method).decides:
        raise StoreError(
            f"{target}: a model of labels writes no text, so {of_text[0]} says nothing of it",
            hint="measure label_accuracy and macro_f1",
        )
    if others and not settings_of(candidate.method).gives_answers:
        raise StoreError(
            f"{target}: a reward model rates answers and gives none, so {others[0]} says nothing of it",
            hint=f"measure {PREFERENCE} on rows with `chosen` and `rejected`",
        )


def candidate_of(run: RunDir, base_model: str) -> Candidate:
    """The candidate of a run, which has to be named where there are several. Raises StoreError."""
    candidates = run.read_report("train", TrainReport).candidates
    found = [c for c in candidates if base_model in {"", c.base_model}]
    if len(found) == 1:
        return found[0]
    names = ", ".join(c.base_model for c in candidates)
    raise StoreError(
        f"{run.root}: this run trained {len(candidates)} base models",
        hint=f"pick one with --base-model: {names}",
    )
