"""The run spec: one file; its top-level keys are those of the core, and one for each feature that has one."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, Field, field_validator, model_validator

from finewright.feature import sections
from finewright.schema.common import Model, default
from finewright.schema.data import DataSpec
from finewright.schema.evaluate import EvaluateSpec
from finewright.schema.extend import extend_model
from finewright.schema.label_methods import gives_one_answer
from finewright.schema.launch import LaunchSpec
from finewright.schema.methods import SFTSpec
from finewright.schema.trackers import TrackerEntry
from finewright.schema.train_section import TrainSpec

SectionSpec = TypeVar("SectionSpec", bound=BaseModel)

DAY = "strftime_now"
"""The switch of a chat template that asks for the day: one such as 2026-12-01, or `today`, which in a run is
the day on which it begins."""
RUN_NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"


class RunSpec(Model):
    """Everything a run is a function of, beside the files it names."""

    version: Literal[1] = default(1, "Version of this format", "the only one so far")
    name: Annotated[str, Field(pattern=RUN_NAME, description="Short name of the run.")]
    base_models: Annotated[
        tuple[str, ...],
        Field(
            min_length=1,
            description="A packaged model's name, a local folder, a .gguf file, a hub id"
            " (org/name, org/name@revision), or a run to go on from: runs/FOLDER, or runs/NAME for the newest"
            " run of a spec, with :BASE_MODEL where it trained several.",
        ),
    ]
    remote_code: dict[str, str] = default(
        {},
        "base model -> sha256 of the Python files in it that may run, once this user has said"
        " `finewright trust add FOLDER`",
        "code that comes with a model never runs unasked",
    )
    chat_template: dict[str, Any] = default(
        {},
        "switches of the base model's chat template, as `enable_thinking: false` or `reasoning_effort: low`; "
        "they hold wherever the run trains, evaluates and answers; `strftime_now: 2026-12-01` is the day "
        "that a template which asks for it is told",
        "the template's own defaults, and the day on which the run begins; a switch that it does not know is "
        "refused",
    )
    trackers: tuple[TrackerEntry, ...] = default(
        (),
        "Where else the run's settings and figures are sent: [mlflow, tensorboard, wandb]",
        "the run folder has all of them",
    )
    launch: LaunchSpec = default(
        LaunchSpec(), "What a run trains in", "one process on this machine"
    )
    data: DataSpec
    train: TrainSpec = default(SFTSpec(), "How to train", "supervised fine-tuning with LoRA")
    evaluate: EvaluateSpec = default(EvaluateSpec(), "What to measure", "a base and a tuned score")

    @model_validator(mode="after")
    def _default_metrics_of_other_models(self) -> Self:
        """A model that rates gives no answers that the usual metrics could judge, and one of labels no
        text."""
        own: tuple[str, ...] = ("label_accuracy", "macro_f1") if self.train.decides else ()
        if not gives_one_answer(self.train):
            # All labels of a row right; of scores it is refused, with a hint.
            own = ("exact_match",)
        own = own if self.train.gives_answers else ("preference_accuracy",)
        if own and "metrics" not in self.evaluate.model_fields_set:
            rated = self.evaluate.model_copy(update={"metrics": own})
            object.__setattr__(self, "evaluate", rated)
        return self

    @field_validator("base_models")
    @classmethod
    def _refuse_repeated_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name!r} is named twice; name it once")
        return names

    def section(self, key: str, kind: type[SectionSpec]) -> SectionSpec | None:
        """The section of the feature with that name; None where the spec has none."""
        found = getattr(self, key)
        assert found is None or isinstance(found, kind)
        return found


if not TYPE_CHECKING:
    RunSpec = extend_model(
        RunSpec,
        {
            key: (section.model, default(None, section.what, section.why))
            for key, section in sections().items()
        },
    )
