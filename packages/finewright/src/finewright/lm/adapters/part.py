"""What every kind of adapter is made of: parts that learn, each switched on and off by itself."""

from collections.abc import Mapping

from torch import Tensor, nn


class AdapterPart(nn.Module):
    """Something of an adapter that can be switched off, and has tensors of its own."""

    enabled = True
    dropout = 0.0

    def tensors(self) -> dict[str, Tensor]:
        """All that decides what it computes, as a checkpoint keeps it."""
        raise NotImplementedError

    def tensors_to_store(self) -> dict[str, Tensor]:
        """What a stored adapter has, under PEFT's names."""
        return self.tensors()

    def begin(self) -> None:
        """Training starts from what it is now."""

    def why_no_base(self) -> str:
        """Why switching it off would not give the base model; empty when it would."""
        return ""


# Where a part stands: the path of the linear it is put on, or the model itself.
ROOT = ""
Parts = Mapping[str, AdapterPart]
