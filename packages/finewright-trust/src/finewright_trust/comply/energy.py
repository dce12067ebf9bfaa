"""Energy of a run's stages: what the processor's counters said, or else watts of the machine x time."""

from collections.abc import Iterator
from datetime import datetime
from functools import cache

from finewright.catalog.models import read_packaged
from finewright.catalog.prices import read_packaged_prices
from finewright.run_reader import RunFolder
from finewright.sdk import Model
from finewright_trust.comply.report import EnergyUse

_JOULES_A_KWH = 3.6e6


class Watts(Model):
    """What a virtual core and a GiB of memory draw at full load, and who says so."""

    core: float
    gib: float
    source: str


@cache
def _watts() -> Watts:
    return read_packaged("energy.yaml", Watts, "finewright_trust.comply")


def measure_energy(run: RunFolder) -> EnergyUse:
    """Measured where it trained on a CPU and each stage said its joules (RAPL); else watts x time.

    Not covered: cooling, and the losses of the site."""
    stages = list(_ended(run))
    seconds = sum(each[0] for each in stages)
    joules = [each[1] for each in stages if each[1] is not None]
    devices = {str(each.get("device")) for each in run.events() if each["type"] == "device"}
    is_cpu = bool(devices) and all(each.startswith("CPU") for each in devices)
    if is_cpu and len(joules) == len(stages):
        basis = "RAPL counters of the processor's packages; whatever else ran then is in it"
        return EnergyUse(kwh=sum(joules) / _JOULES_A_KWH, how="measured", basis=basis)
    watts, basis = _watts_of(run, devices, is_cpu)
    if watts is None:
        return EnergyUse(kwh=None, how="unknown", basis=basis)
    basis = f"{seconds:,.0f} s x {watts:.1f} W: {basis}"
    return EnergyUse(kwh=watts * seconds / _JOULES_A_KWH, how="estimated", basis=basis)


def _watts_of(run: RunFolder, devices: set[str], is_cpu: bool) -> tuple[float | None, str]:
    """What the machine draws at full load, and by which table."""
    machine = run.environment()
    cores, memory = machine.get("cores"), machine.get("memory_gib")
    if not devices or not cores or not memory:
        return None, "the run's records do not say on which device it trained"
    watts = _watts().core * cores + _watts().gib * memory
    basis = f"{cores} cores and {memory:g} GiB at full load, {_watts().source}"
    if is_cpu:
        return watts, basis
    named = {name: gpu for gpu in read_packaged_prices().gpus for name in (gpu.name, *gpu.aliases)}
    words = " ".join(devices)
    gpu = next(
        (named[name] for name in sorted(named, key=len, reverse=True) if name in words), None
    )
    if gpu is None:
        return None, f"no data sheet of {words} is known"
    return watts + gpu.tdp_watts, f"one {gpu.name} at {gpu.tdp_watts:g} W ({gpu.source}), {basis}"


def _ended(run: RunFolder) -> Iterator[tuple[float, float | None]]:
    """Seconds and joules of each stage that ended."""
    began: dict[str, datetime] = {}
    for event in run.events():
        stage, time = str(event.get("stage", "")), datetime.fromisoformat(event["time"])
        if event["type"] == "stage_started":
            began[stage] = time
        elif event["type"] == "stage_ended" and stage in began:
            yield (time - began.pop(stage)).total_seconds(), event.get("energy_joules")
