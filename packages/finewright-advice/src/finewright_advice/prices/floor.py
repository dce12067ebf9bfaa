"""The price of a GPU's hour below which a row of a foreign file is taken for a mistake."""

from finewright.schema.catalog import UNPAID, PriceCatalog, Tier

_LEAST_SHARE = 0.2
"""Of the lowest price known at the tier: a price war halves prices, a wrong column divides them by more."""
_LEAST_SHARE_OF_ON_DEMAND = 0.1
"""Where the tier is not known for the GPU: the large clouds' spot prices go down to a tenth."""
_LEAST_USD = 0.02
"""An hour of a GPU that nobody known sells."""


def too_low(usd_per_gpu_hour: float, gpu: str, tier: Tier, known: PriceCatalog) -> str:
    """Why a price is absurdly low beside what the catalog knows of the GPU; empty where it is not."""
    if tier in UNPAID:
        return ""
    least, beside = _LEAST_USD, f"${_LEAST_USD:g}, the least for a GPU whose prices are not known"
    for share, its in ((_LEAST_SHARE, tier), (_LEAST_SHARE_OF_ON_DEMAND, "on_demand")):
        seen = [
            machine.usd_per_gpu_hour.low
            for machine in known.machines
            if (machine.gpu, machine.tier) == (gpu, its)
        ]
        if seen:
            least = share * min(seen)
            beside = f"{share:.0%} of the lowest known of {gpu} at {its}, ${min(seen):.4g}"
            break
    if usd_per_gpu_hour >= least:
        return ""
    mend = "if it is true, give the row in a YAML file of prices"
    return f"${usd_per_gpu_hour:.4g} an hour and GPU is under {beside}; {mend}"
