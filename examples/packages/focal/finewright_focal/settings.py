"""What a spec may say of the focal loss."""

from typing import ClassVar, Literal

from finewright.sdk import TrainSettings, default


class FocalSpec(TrainSettings):
    """Fine-tuning with the focal loss (Lin et al. 2017, arXiv:1708.02002): -(1 - p)^gamma log p."""

    code: ClassVar[str] = "finewright_focal.loss:Focal"
    method: Literal["focal"] = "focal"
    gamma: float = default(2.0, "How much less easy tokens weigh", "the paper's", ge=0.0)
