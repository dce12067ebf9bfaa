"""The commands of the core: the options of each, and the one call that it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from finewright.errors import DataError
from finewright.feature import OnEvent, Session, load_offered
from finewright.schema.options import (
    Columns,
    CommandOptions,
    Encoding,
    Flag,
    OneBaseModel,
    RowFormat,
    RunPath,
    Runs,
    SpecOptions,
    Target,
    TrainOptions,
    argument,
    option,
)

if TYPE_CHECKING:
    from finewright.schema.load import LoadedSpec
    from finewright.workbench.speakers import Speaker


_THOUGHTS = "Longest thought in tokens; then it is closed, and the answer follows."


class QuickstartOptions(CommandOptions):
    """Which task, how long it may take, and where it lies."""

    task: Literal["intents", "extract", "answers", "transactions"] = option(
        "intents", "What to do: label requests, copy details as JSON, find answers, explain calls."
    )
    minutes: float = option(4.0, "About how long a language model trains.", ge=0.1)
    folder: Path = option(Path("quickstart"), "Where data and spec go.")
    runs: Runs = Path("runs")


class UpOptions(TrainOptions):
    """The same, and a run folder will do for a spec."""

    spec: Annotated[Path, argument("SPEC")] = option(..., "A run spec, or a run folder.")


class EvaluateOptions(CommandOptions):
    """Who is measured, on which rows, and how."""

    target: Target
    data: tuple[str, ...] = option(
        (), "Held-out rows in any format; repeatable. Without: the run's own answers, by --metric."
    )
    metrics: Annotated[tuple[str, ...], Flag("--metric")] = option(
        (), "A metric by name; repeatable."
    )
    against: tuple[str, ...] = option((), "Compare with; repeatable.")
    type: Literal["auto", "text"] = option(
        "auto", "text: the rows are documents, measured by their perplexity."
    )
    format: RowFormat = "auto"
    columns: Columns = Field(default_factory=dict)
    encoding: Encoding = ""
    limit: int | None = option(None, "Only so many rows of each file, sampled by the seed.", ge=1)
    seed: int = option(0, "Seed of the sampled rows and of the intervals.")
    max_new_tokens: int = option(256, "Longest answer in tokens.", ge=1)
    max_thought_tokens: int | None = option(None, _THOUGHTS, ge=1)
    samples: Path | None = option(
        None, "Where the answers go; default: samples.jsonl, or the next free."
    )
    base_model: OneBaseModel = ""


class ChatOptions(CommandOptions):
    """Who is talked to, and how answers are drawn."""

    target: Annotated[str, argument("RUN_OR_MODEL_OR_URL")] = option(
        ..., "A run folder, a base model by name, or a served model: https://HOST/v1#MODEL."
    )
    prompt: Annotated[str, Flag("--prompt -p")] = option("", "Ask once and end.")
    compare: str = option("", "Another one, as the first, that answers beside it.")
    system: str | None = option(
        None, "The system prompt; default: the run's own; an empty one: none."
    )
    max_new_tokens: int = option(256, "Longest answer in tokens.", ge=1)
    max_thought_tokens: int | None = option(None, _THOUGHTS, ge=1)
    temperature: float = option(0.0, "0 is greedy.", ge=0.0)
    seed: int = option(0, "Seed of the sampling.")
    base_model: OneBaseModel = ""
    draft_model: str = option("", "A smaller model of the same vocabulary that guesses ahead.")
    rag: str = option("", "Answer from this index, with citations: an index, or a spec with `rag`.")
    groups: Annotated[tuple[str, ...], Flag("--group")] = option(
        (), "With --rag: as one of this group; repeatable. Default: the public."
    )
    all: bool = option(False, "With --rag: as the owner, who sees the documents of all groups.")
    anyway: bool = option(
        False, "With --rag: ask the model even where no document is likely to have this."
    )


class PredictOptions(CommandOptions):
    """Who answers which rows, and where the answers go."""

    target: Target
    path: Annotated[Path, argument("FILE")] = option(..., "Rows to answer, in any format.")
    out: Path = option(..., "The new file of answers: .jsonl, .json, .csv or .parquet.")
    keep: tuple[str, ...] = option(
        (), "A column of the rows to write beside the answer; repeatable. `id` always is."
    )
    rows: Path | None = option(
        None, "Also write the answers as rows to train another model on, JSONL."
    )
    format: RowFormat = "auto"
    columns: Columns = Field(default_factory=dict)
    encoding: Encoding = ""
    limit: int | None = option(None, "Only so many rows, sampled by the seed.", ge=1)
    seed: int = option(0, "Seed of the sampled rows.")
    max_new_tokens: int | None = option(None, "Most tokens; default: as measured, else 256.", ge=1)
    max_thought_tokens: int | None = option(None, _THOUGHTS, ge=1)
    batch_size: int = option(32, "Rows answered together.", ge=1)
    base_model: OneBaseModel = ""


class RunOptions(CommandOptions):
    """One run."""

    run: RunPath


class ShowRunOptions(RunOptions):
    """The same, and what of it."""

    lineage: bool = option(False, "Show the runs that it builds on, in place of its reports.")


class MergeOptions(CommandOptions):
    """Two runs, and how their adapters become one."""

    run: RunPath
    other: Annotated[Path, argument("OTHER_RUN")] = option(..., "The second run folder.")
    method: Literal["linear", "ties", "dare"] = option("linear", "How; docs/lineage.md says what.")
    weights: Annotated[tuple[float, ...], Flag("--weight")] = option((), "Of each; 0.5, of ties 1.")
    density: float | None = option(None, "Share kept; of ties 0.2, of dare 0.1.", gt=0, le=1)
    seed: int = option(0, "Seed of what dare drops.")
    name: str = option("merged", "Name of the new run.")
    runs: Runs = Path("runs")


class VerifyOptions(CommandOptions):
    """A run, or a bundle that was made of one and the key that it is held against."""

    run: Annotated[Path, argument("RUN_OR_BUNDLE")] = option(
        ..., "A run folder, or a bundle of `finewright release`."
    )
    key: Path | None = option(
        None,
        "Of a bundle: its maker's public key, or who issued its certificate (PEM). Default: your own.",
    )


class RunsOptions(CommandOptions):
    """Where the runs lie."""

    runs: Runs = Path("runs")


class DoctorOptions(CommandOptions):
    """The machine alone, or the engine on it as well."""

    base_model: Annotated[str, argument("BASE_MODEL")] = option("", "By name, for --selfcheck.")
    selfcheck: bool = option(False, "Compare the engine with plain transformers.")

    @model_validator(mode="after")
    def _model_is_for_selfcheck(self) -> Self:
        if self.base_model and not self.selfcheck:
            raise ValueError("a base model is for --selfcheck, which is not given")
        return self


class CompletionOptions(CommandOptions):
    """Which shell."""

    shell: Annotated[Literal["bash", "zsh", "fish"], argument("SHELL")] = option(
        ..., 'The shell: eval "$(finewright completion bash)".'
    )


class BenchOptions(CommandOptions):
    """What is trained to take the time."""

    base_model: Annotated[str, argument("BASE_MODEL")] = option(
        "smollm2-135m-instruct", "A base model by name."
    )
    data: Path | None = option(None, "Rows to train on, JSONL; default: the solidity set.")
    steps: int = option(8, "Steps to train, the first two to warm up.")
    batch_size: int = option(8, "Rows of a step.", ge=1)
    max_length: int = option(1024, "Leave longer rows out; in tokens.", ge=8)
    threads: int | None = option(None, "CPU threads; default: one per physical core.", ge=1)


def quickstart(options: QuickstartOptions, session: Session) -> BaseModel:
    """Fetch rows, train, and compare."""
    from finewright.workbench.quickstart import quickstart as run

    o = options
    return run(o.task, o.folder, o.runs, minutes=o.minutes, session=session)


def check(options: SpecOptions, session: Session) -> BaseModel:
    """Every mistake of the spec and its data."""
    from finewright.workbench.check import check_path

    return check_path(options.spec, options.overrides)


def plan(options: SpecOptions, session: Session) -> BaseModel:
    """What would be trained."""
    from finewright.workbench.plan import plan as run

    return run(_load(options))


def train(options: TrainOptions, session: Session) -> BaseModel:
    """The stages up to and including train."""
    from finewright.workbench.up import up as run

    watch, new = session.on_event, options.new
    loaded = _load(options, options.given)
    return run(loaded, options.runs, on_event=watch, new=new, through="train")


def up(options: UpOptions, session: Session) -> BaseModel:
    """Every stage."""
    from finewright.workbench.up import up_path

    watch, new = session.on_event, options.new
    return up_path(options.spec, options.given, options.runs, on_event=watch, new=new)


def evaluate(options: EvaluateOptions, session: Session) -> BaseModel:
    """Scores with intervals."""
    from finewright.workbench.evaluate import evaluate as run
    from finewright.workbench.evaluate import free_name, spec_of

    o = options
    if not o.data:
        from finewright.workbench.rescore import rescore_by

        return rescore_by(o, o.target, o.metrics, seed=o.seed)
    names = ("type", "format", "columns", "encoding", "limit")
    rows = {name: getattr(o, name) for name in names}
    spec = spec_of(
        o.data,
        o.metrics,
        rows,
        max_new_tokens=o.max_new_tokens,
        seed=o.seed,
        max_thought_tokens=o.max_thought_tokens,
    )
    targets, watch = [o.target, *o.against], on_answers(session.on_event)
    return run(targets, spec, o.samples or free_name(), base_model=o.base_model, on_progress=watch)


def chat(options: ChatOptions, session: Session) -> None:
    """A conversation on the terminal."""
    from finewright.cli.talk import talk
    from finewright.workbench.chat import Manner
    from finewright.workbench.speakers import Speaker, speakers_of

    manner = Manner(
        options.max_new_tokens, options.temperature, options.seed, options.max_thought_tokens
    )
    given = (options.target, options.compare, options.draft_model)
    with _sources(options) as sourced:
        speakers: list[Speaker] = speakers_of(*given, base_model=options.base_model)
        if sourced is not None:
            speakers = [sourced(speaker) for speaker in speakers]
        talk(speakers, manner, system=options.system, prompt=options.prompt)


@contextmanager
def _sources(options: ChatOptions) -> Iterator["Callable[[Speaker], Speaker] | None"]:
    """What makes a speaker answer from the index, which is open meanwhile; None without one."""
    if not options.rag:
        for flag, given in (
            ("group", options.groups),
            ("all", options.all),
            ("anyway", options.anyway),
        ):
            if given:
                raise DataError(
                    f"--{flag} says how an index is asked", hint="name one: --rag INDEX"
                )
        yield None
        return
    open_sources = load_offered("rag", "sources")
    as_whom = {"groups": options.groups, "is_owner": options.all}
    with open_sources(options.rag, **as_whom, always_asks=options.anyway) as sourced:
        yield sourced


def predict(options: PredictOptions, session: Session) -> BaseModel:
    """An answer to every row."""
    from finewright.workbench.predict import predict as run
    from finewright.workbench.predict import predicting_by

    return run(predicting_by(options), on_progress=on_answers(session.on_event, "answering"))


def verify(options: VerifyOptions, session: Session) -> BaseModel:
    """Every digest of a run or of a bundle, recomputed."""
    from finewright.workbench.runs import verify as run

    # A signature of OpenSSF's model-signing.
    if options.key or (options.run / "model.sig").is_file():
        verify_bundle: Callable[..., BaseModel] = load_offered("release", "verify_bundle")
        return verify_bundle(options.run, options.key)
    return run(options.run)


def doctor(options: DoctorOptions, session: Session) -> BaseModel:
    """The machine, or the engine on it."""
    from finewright.workbench import doctor as uses

    if options.selfcheck:
        return uses.selfcheck(options.base_model, session.on_event)
    return uses.doctor()


def bench(options: BenchOptions, session: Session) -> BaseModel:
    """The speed of this machine."""
    from finewright.workbench.bench import BenchLoad
    from finewright.workbench.bench import bench as run

    o = options
    load = BenchLoad(o.data, o.steps, o.batch_size, o.max_length, o.threads)
    return run(o.base_model, load, session.on_event)


def schema(options: CommandOptions, session: Session) -> None:
    """The JSON Schema of the run spec."""
    from finewright.cli import output
    from finewright.schema.load import json_schema

    output.show_json(json_schema())


def completion(options: CompletionOptions, session: Session) -> str:
    """The script that a shell evaluates."""
    from typer._completion_shared import get_completion_script

    names = {"complete_var": "_FINEWRIGHT_COMPLETE", "shell": options.shell}
    return get_completion_script(prog_name="finewright", **names)


def list_runs(options: RunsOptions, session: Session) -> BaseModel:
    """Every run."""
    from finewright.workbench.runs import list_runs as run

    return run(options.runs)


def merge_runs(options: MergeOptions, session: Session) -> BaseModel:
    """One adapter of two, measured."""
    from finewright.workbench.merge import Merge, merge

    o, watch = options, on_answers(session.on_event)
    wanted = Merge((str(o.run), str(o.other)), o.method, o.weights, o.density, o.seed, o.name)
    return merge(wanted, o.runs, on_progress=watch)


def show_run(options: ShowRunOptions, session: Session) -> BaseModel:
    """One run, or its lineage."""
    from finewright.workbench.lineage import show_lineage
    from finewright.workbench.runs import show

    return show_lineage(options.run) if options.lineage else show(options.run)


def _load(options: SpecOptions, overrides: tuple[str, ...] | None = None) -> "LoadedSpec":
    from finewright.schema.load import load_spec

    return load_spec(options.spec, options.overrides if overrides is None else overrides)


def on_answers(
    on_event: OnEvent, event_type: str = "progress"
) -> Callable[[str, str, int, int], None]:
    """The `on_progress` of who asks rows."""

    def on_progress(system: str, data: str, done: int, total: int) -> None:
        on_event(event_type, {"system": system, "data": data, "done": done, "total": total})

    return on_progress
