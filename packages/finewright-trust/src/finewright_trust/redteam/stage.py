"""The stage of a run: the attacks of its spec on each base model that it trained."""

from collections.abc import Iterator

from finewright.errors import FinewrightError, Interrupted
from finewright.schema.common import Problem
from finewright.schema.train import TrainReport
from finewright.store.stage import StageContext, StageResult
from finewright_trust.redteam.finding import worst_first
from finewright_trust.redteam.spec import RedteamSpec
from finewright_trust.redteam.subject import OnProgress
from finewright_trust.redteam.suite import attack_all, open_subject, read_attacks


def run(context: StageContext) -> StageResult:
    """Every attack on every candidate; what the report lacks of `finewright redteam` is nothing."""
    spec = context.spec.section("redteam", RedteamSpec) or RedteamSpec()
    trained = context.run.read_report("train", TrainReport)
    reports = []
    for candidate in trained.candidates:
        prefix = f"{candidate.base_model} " if len(trained.candidates) > 1 else ""
        target = str(context.run.root)
        subject = open_subject(target, candidate.base_model, _watch(context), prefix)
        reports.append(attack_all(subject, spec, subject.on_progress))
    whole = reports[0].model_copy(
        update={
            "systems": tuple(name for report in reports for name in report.systems),
            "attacks": tuple(each for report in reports for each in report.attacks),
            "findings": worst_first([found for report in reports for found in report.findings]),
            "problems": tuple(each for report in reports for each in report.problems),
        }
    )
    adapters = tuple(a.sha256 for c in trained.candidates for a in c.artifacts)
    return StageResult(whole, (), adapters)


def faults(spec: RedteamSpec) -> Iterator[Problem]:
    """An attack that nobody knows."""
    for number, name in enumerate(spec.attacks):
        try:
            read_attacks([name])
        except FinewrightError as error:
            where, what = f"redteam.attacks.{number}", str(error)
            yield Problem(level="error", key=where, message=what, hint=error.hint)


def _watch(context: StageContext) -> OnProgress:
    def watch(what: str, done: int, total: int) -> None:
        context.emit("attacking", what=what, done=done, total=total)
        if stop := context.should_stop():
            raise Interrupted(
                "stopped while attacking",
                signal_number=stop,
                hint=f"finewright up {context.run.root} attacks again",
            )

    return watch
