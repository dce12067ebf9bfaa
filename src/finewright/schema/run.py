"""The run spec: one file, top-level keys are the stage names."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from finewright.schema.bakeoff import BakeoffSpec
from finewright.schema.common import Model, default
from finewright.schema.cost import CostSpec
from finewright.schema.data import DataSpec
from finewright.schema.decide import DecideSpec
from finewright.schema.evaluate import EvaluateSpec
from finewright.schema.measure import MeasureSpec
from finewright.schema.methods import SFTSpec, TrainSpec
from finewright.schema.rag import RagSpec
from finewright.schema.tune import TuneSpec

RUN_NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"


class RunSpec(Model):
    """Everything a run is a function of, beside the files it names."""

    version: Literal[1] = default(1, "Version of this format", "the only one so far")
    name: Annotated[str, Field(pattern=RUN_NAME, description="Short name of the run.")]
    base_models: Annotated[
        tuple[str, ...],
        Field(
            min_length=1,
            description="A packaged model's name, a local folder, a .gguf file or a hub id"
            " (org/name, org/name@revision).",
        ),
    ]
    remote_code: dict[str, str] = default(
        {},
        "base model -> sha256 of the Python files in it that you have read and consent to run",
        "code that comes with a model never runs unasked",
    )
    chat_template: dict[str, Any] = default(
        {},
        "switches of the base model's chat template, as `enable_thinking: false` or `reasoning_effort: low`; "
        "they hold wherever the run trains, evaluates and answers",
        "the template's own defaults; a switch that it does not know is refused",
    )
    decide: DecideSpec | None = default(
        None, "What `finewright decide` weighs", "asked for before there is data or a model"
    )
    rag: RagSpec | None = default(
        None, "Documents that `finewright rag` indexes", "asked for by commands of its own"
    )
    data: DataSpec
    cost: CostSpec | None = default(
        None, "Which machines and how many runs `cost` reckons with", "`finewright cost` needs none"
    )
    train: TrainSpec = default(SFTSpec(), "How to train", "supervised fine-tuning with LoRA")
    evaluate: EvaluateSpec = default(EvaluateSpec(), "What to measure", "a base and a tuned score")
    measure: MeasureSpec | None = default(
        None, "What `finewright decide --measure` compares", "asked for by a command of its own"
    )
    bakeoff: BakeoffSpec | None = default(
        None,
        "How `finewright bakeoff` compares the base models",
        "asked for by a command of its own",
    )
    tune: TuneSpec | None = default(
        None, "What `finewright tune` searches", "asked for by a command of its own"
    )

    @model_validator(mode="after")
    def _rated(self) -> Self:
        """A reward model gives no answers that the usual metrics could judge."""
        if self.train.method == "reward" and "metrics" not in self.evaluate.model_fields_set:
            rated = self.evaluate.model_copy(update={"metrics": ("preference_accuracy",)})
            object.__setattr__(self, "evaluate", rated)
        return self

    @field_validator("base_models")
    @classmethod
    def _told_apart(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name!r} is named twice; name it once")
        return names
