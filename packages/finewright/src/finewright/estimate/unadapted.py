"""Linear layers that no adapter may stand on, because somebody would compute without it."""

from collections.abc import Iterator, Mapping

LEAVE_OUT = "leave it out of train.adapter.target_modules"

_UNCALLED = "transformers computes with the layer's weight and does not call it, so PEFT passes an adapter by"
_REFUSED = (
    "PEFT 0.21 refuses an adapter here, as a fused kernel may compute with the layer's weight"
)
_NUMBERED = "these are low-rank layers already, named by numbers that PEFT takes for decoder layers"
# model_type -> name in a layer's path -> why. Read in transformers 5.23's modelling code and in PEFT's
# `_check_lora_target_modules_mamba`.
UNADAPTED: Mapping[str, Mapping[str, str]] = {
    "jamba": {"dt_proj": _UNCALLED},
    "falcon_h1": {"out_proj": _REFUSED},
    "nemotron_h": {"out_proj": _REFUSED},
    "zamba2": dict.fromkeys(
        (
            "linear_q_adapter_list",
            "linear_k_adapter_list",
            "linear_v_adapter_list",
            "gate_up_proj_adapter_list",
        ),
        _NUMBERED,
    ),
}


def why_no_adapter(model_type: str, path: str) -> str:
    """Why the layer at this path, or of this name, takes no adapter; empty where it does."""
    reasons = UNADAPTED.get(model_type, {})
    return next((reasons[name] for name in path.split(".") if name in reasons), "")


def reasons_by_layers(model_type: str) -> Iterator[tuple[str, str]]:
    """(why, names) of all such layers of a family."""
    reasons = UNADAPTED.get(model_type, {})
    for reason in dict.fromkeys(reasons.values()):
        yield reason, ", ".join(name for name in reasons if reasons[name] == reason)
