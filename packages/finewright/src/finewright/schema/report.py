"""What the use cases beside the stages report."""

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field, SerializeAsAny

from finewright.feature import feature_stages
from finewright.schema.common import Model, Problem
from finewright.schema.data import DataReport
from finewright.schema.evaluate import EvaluateReport, Score
from finewright.schema.extend import extend_model
from finewright.schema.train import TrainReport


class DoctorFinding(Model):
    """One thing that `doctor` looked at."""

    name: str
    passed: bool
    detail: str
    hint: str = ""


class DoctorReport(Model):
    """What is installed, on what machine, and what would fail."""

    findings: tuple[DoctorFinding, ...]

    @property
    def passed(self) -> bool:
        """Nothing would fail."""
        return all(finding.passed for finding in self.findings)


class SelfCheck(Model):
    """One comparison of the engine: a relative distance of gradients, and what it may be at most."""

    name: str
    measured: float
    bar: float
    passed: bool


class SelfCheckReport(Model):
    """Does the engine compute what plain transformers computes, and what is slower than it could be?"""

    base_model: str
    device: str
    layers: int
    layers_checked: int
    checks: tuple[SelfCheck, ...]
    slow_paths: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Every distance is within its bar."""
        return all(check.passed for check in self.checks)


class TrustedThing(Model):
    """Code by its digest, or a public key, and as what it is trusted."""

    kind: Literal["code", "key"]
    value: str
    since: str
    what: str


class TrustReport(Model):
    """What the user trusts, or what of it changed."""

    said: str
    trusted: tuple[TrustedThing, ...]


class Signer(Model):
    """A key that signed parts of a run, and whose it is; no key signed what is `unsigned`."""

    key: str
    whose: Literal["own", "known", "unknown", "unsigned"]
    name: str = Field("", description="As what the user trusts a known key.")
    parts: tuple[str, ...] = Field(description="Stages, and cards by their path.")


class VerifyReport(Model):
    """What differs between a run folder and its manifest, who signed it, and how many scores were counted
    once more from the recorded answers."""

    run: str
    files: int
    problems: tuple[Problem, ...]
    privacy: tuple[str, ...] = Field(
        default=(), description="What each private training spent, computed again."
    )
    signers: tuple[Signer, ...] = ()
    scores: int = 0

    @property
    def passed(self) -> bool:
        """Every file is there, unchanged."""
        return all(problem.level != "error" for problem in self.problems)


class RunSummary(Model):
    """One run in a list. `scores` are the tuned models', by the first metric on the first set that was
    measured; `parents` name the runs that it builds on."""

    run: str
    name: str
    state: str
    created: str
    stages: tuple[str, ...]
    base_models: tuple[str, ...]
    scores: tuple[Score, ...] = ()
    parents: tuple[str, ...] = ()


class LineageNode(Model):
    """A run that one builds on, `depth` steps back; without a path it is not found."""

    depth: int
    run: str
    path: str = ""
    base_model: str
    method: str = ""
    rows: int | None = None
    steps: int | None = None
    tokens: int | None = None
    adapter_sha256: str


class LineageReport(Model):
    """The run, then every run that it builds on, and what of these is not as it was."""

    run: str
    nodes: tuple[LineageNode, ...]
    problems: tuple[Problem, ...] = ()


class RunGroup(Model):
    """What `bakeoff`, `tune` or `decide --measure` made: a folder of runs, and the report where there is one
    yet."""

    folder: str
    report: str
    runs: tuple[RunSummary, ...]


class RunList(Model):
    """The runs of a folder, oldest first, and the groups of runs in it."""

    runs: tuple[RunSummary, ...]
    groups: tuple[RunGroup, ...] = ()


class EarlierMeasurement(Model):
    """What the run's spec asked for before: its folder in the run, when it was made, its scores."""

    path: str
    finished: str
    report: EvaluateReport


class RunReport(Model):
    """A run with the reports of its finished stages, those of features too; `ran` are the stages that ran
    just now, `earlier` what was measured of the same training by another `evaluate`."""

    summary: RunSummary
    ran: tuple[str, ...] = ()
    data: DataReport | None = None
    train: TrainReport | None = None
    evaluate: EvaluateReport | None = None
    earlier: tuple[EarlierMeasurement, ...] = ()

    def of_features(self) -> list[BaseModel]:
        """The reports of the stages that features have, of those that are done."""
        found = (getattr(self, name) for name in feature_stages())
        return [report for report in found if report is not None]


if not TYPE_CHECKING:
    RunReport = extend_model(
        RunReport, {name: (stage.report, Field(None)) for name, stage in feature_stages().items()}
    )


class ReplayedAnswer(Model):
    """The same held-out question answered by two systems."""

    data: str
    question: str
    expected: str
    before: str
    after: str


class QuickstartReport(Model):
    """The quickstart's run, or how well its documents are found, some answers of what it is compared with and
    of its own, and the commands that come next."""

    task: str
    measured: SerializeAsAny[BaseModel]
    compared_with: str = "base"
    answers: tuple[ReplayedAnswer, ...] = ()
    commands: tuple[str, ...] = ()
