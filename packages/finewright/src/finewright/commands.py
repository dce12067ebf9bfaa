"""`import finewright as fw`: what the commands do, as typed functions that return reports.

    import finewright as fw

    spec = fw.load_spec("sft.yaml", ["train.max_steps=20"])
    fw.plan(spec)                  # in a notebook the last value shows itself as a page
    run = fw.up(spec)
    fw.chat(run.summary.run, "What does transfer(address,uint256) do?")

A spec may be given as a path too. Progress goes to stderr, and nowhere where `progress=False`.
Every mistake raises a `finewright.errors.FinewrightError`, whose text is the line that a command shows."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from finewright.feature import Session, ask_day, load_offered
from finewright.plugins import load as load_plugin
from finewright.schema import load
from finewright.schema.common import Model
from finewright.schema.evaluate import EvaluateReport
from finewright.schema.load import LoadedSpec
from finewright.schema.options import bring_files
from finewright.schema.plan import CheckReport, PlanReport
from finewright.schema.report import RunReport
from finewright.table import command_named, run_command

if TYPE_CHECKING:
    from finewright.schema.cost import CostReport
    from finewright.schema.export import ExportReport

__all__ = [
    "LoadedSpec",
    "chat",
    "check",
    "command",
    "cost",
    "decide",
    "evaluate",
    "export",
    "load_run",
    "load_spec",
    "plan",
    "train",
    "up",
]

_PAGE_HEIGHT = 520


def load_spec(path: Path | str, overrides: Sequence[str] = ()) -> LoadedSpec:
    """A spec file with `key=value` overrides applied, the later ones over the earlier.

    Raises SpecError with a line for every mistake."""
    return load.load_spec(Path(path), overrides)


def check(spec: LoadedSpec | Path | str) -> CheckReport:
    """Every mistake in a spec and its data, without loading a model; `passed` says whether it is usable."""
    from finewright.workbench.check import check as run

    return run(_load(spec))


def plan(spec: LoadedSpec | Path | str) -> PlanReport:
    """What would be trained: rows, tokens, steps, and every setting with its reason."""
    from finewright.workbench.plan import plan as run

    return run(_load(spec))


def train(
    spec: LoadedSpec | Path | str,
    *,
    runs: Path | str = "runs",
    new: bool = False,
    progress: bool = True,
) -> RunReport:
    """The stages up to and including train, in a run under `runs`; see `up`."""
    return _run(spec, runs, new=new, progress=progress, through="train")


def up(
    spec: LoadedSpec | Path | str,
    *,
    runs: Path | str = "runs",
    new: bool = False,
    progress: bool = True,
) -> RunReport:
    """Every stage, in a run under `runs`: what is fresh is skipped, and a run that was cut goes on.

    `new` starts a new run even if this spec has one. `run.summary.run` is its folder."""
    return _run(spec, runs, new=new, progress=progress)


def evaluate(  # noqa: PLR0913 - the command's options
    target: Path | str,
    data: Path | str | Sequence[Path | str] = (),
    *,
    metrics: str | Sequence[str] = (),
    against: Sequence[Path | str] = (),
    limit: int | None = None,
    seed: int = 0,
    max_new_tokens: int = 256,
    samples: Path | str | None = None,
    progress: bool = True,
) -> EvaluateReport:
    """Measure a run's tuned model or a base model on held-out rows, alone or against others.

    Without `data` the answers of a run's score card are scored by `metrics`, and no model is asked. `limit`
    draws so many rows of each file by the seed. Every answer is written to `samples`, which must not
    be there yet; default: samples.jsonl here, or the next free name."""
    from finewright.cli.commands import on_answers
    from finewright.workbench.evaluate import evaluate as run
    from finewright.workbench.evaluate import free_name, spec_of

    paths = [data] if isinstance(data, Path | str) else data
    spec = spec_of(
        [str(path) for path in paths],
        [metrics] if isinstance(metrics, str) else metrics,
        {"limit": limit},
        max_new_tokens=max_new_tokens,
        seed=seed,
    )
    if not paths:
        from finewright.workbench.rescore import rescore

        return rescore(str(target), spec)
    watch = on_answers(_watch(progress))
    targets = [str(one) for one in (target, *against)]
    return run(targets, spec, Path(samples) if samples else free_name(), on_progress=watch)


def decide(
    spec: Path | str,
    overrides: Sequence[str] = (),
    *,
    today: date | None = None,
    prices: Path | str | None = None,
) -> BaseModel:
    """Prompt, retrieve, fine-tune or combine? A ranking with reasons, from a spec's `decide` section.

    `prices` is a folder of prices, in place of your own of `finewright catalog import`; `today`
    decides which dated facts hold."""
    from finewright.catalog.prices import own_folder

    folder = own_folder(Path(prices) if prices else None)
    advise: Callable[..., BaseModel] = load_offered("decide", "advice")
    return advise(Path(spec), overrides, today=today or ask_day(), user_prices=folder)


def cost(
    spec: LoadedSpec | Path | str,
    *,
    trace: bool = False,
    calibrate: bool = False,
    runs: Path | str = "runs",
    today: date | None = None,
) -> "CostReport":
    """Which machines fit, how long, how much; and what would fit where it does not.

    `trace` follows the training step on tensors without data; `calibrate` times some real steps here."""
    day = today or ask_day()
    forecast: Callable[..., CostReport] = load_offered("cost", "forecast")
    return forecast(_load(spec), trace=trace, calibrate=calibrate, runs=Path(runs), today=day)


def export(
    run: Path | str,
    to: str,
    *,
    out: Path | str | None = None,
    progress: bool = True,
    **options: Any,
) -> "ExportReport":
    """A run's result as files that others load, asked the same and compared before they are published.

    `to` is what `finewright export --help` lists, and so are the other options."""
    given = {"run": run, "to": to, "out": out, **options}
    report: ExportReport = command("export", progress=progress, **given)
    return report


def command(name: str, *, progress: bool = True, **options: Any) -> Any:
    """What `finewright NAME` does, as its report: `command("data check", path="rows.jsonl")`.

    Every command of `finewright --help` has its name here, and its options have theirs, with `_` for `-`; a
    command that talks returns its text. Raises DataError for an option that is missing, unknown or wrong."""
    from finewright.cli.output import ask, tell

    found = command_named(name)[1]
    given = bring_files(load_plugin(found.options), options)
    return run_command(name, given, Session(ask_day(), _watch(progress), tell, ask))


def load_run(path: Path | str) -> RunReport:
    """One run folder with what its stages reported."""
    from finewright.workbench.runs import show

    return show(Path(path))


def chat(
    target: Path | str,
    prompt: str,
    *,
    system: str = "",
    max_new_tokens: int = 256,
    temperature: float = 0.0,
    seed: int = 0,
) -> str:
    """One answer of a run's tuned model or a base model; without its thoughts.

    `system` is the system prompt, by default the run's own; temperature 0 is greedy. The model is loaded
    anew by each call."""
    from finewright.workbench.chat import Manner, answer
    from finewright.workbench.systems import load_talker

    talker = load_talker(str(target))
    opening = system or talker.system_prompt
    turns = [{"role": "system", "content": opening}] if opening else []
    turns.append({"role": "user", "content": prompt})
    pieces = answer(talker, turns, Manner(max_new_tokens, temperature, seed))
    return "".join(piece.text for piece in pieces if piece.kind == "content")


def _load(spec: LoadedSpec | Path | str) -> LoadedSpec:
    return spec if isinstance(spec, LoadedSpec) else load_spec(spec)


def _run(
    spec: LoadedSpec | Path | str, runs: Path | str, *, new: bool, progress: bool, through: str = ""
) -> RunReport:
    from finewright.workbench.up import up as run

    watch = _watch(progress)
    return run(_load(spec), Path(runs), on_event=watch, new=new, through=through)


def _watch(progress: bool) -> Callable[[str, Mapping[str, Any]], None]:
    from finewright.cli.output import watch

    return watch(not progress)


def _frame(report: BaseModel) -> str:
    """The report's page in a frame of its own, so that its style and the notebook's do not mix."""
    from finewright.report.show import html_of

    return (
        f'<iframe sandbox srcdoc="{escape(html_of(report))}" width="100%" height="{_PAGE_HEIGHT}"'
        ' style="border: 0"></iframe>'
    )


# A notebook asks values for this method; schema/, where reports are defined, knows nothing of pages.
setattr(Model, "_repr_html_", _frame)  # noqa: B010 - no attribute of the class, so no plain assignment
