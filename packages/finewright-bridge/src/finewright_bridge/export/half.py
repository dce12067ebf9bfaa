"""What float16 can hold."""

from finewright.errors import ModelError

_MOST = 65504.0


def refuse_overflow(most: float, name: str) -> None:
    """Raise ModelError for a weight whose largest magnitude float16 cannot hold."""
    if most > _MOST:
        raise ModelError(
            f"f16 cannot hold {most:.3g}, a weight of {name}", hint="take --quantize bf16"
        )
