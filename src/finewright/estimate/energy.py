"""Energy and carbon dioxide of machine time: kWh = watts x hours x PUE, and grams by the country's grid.

The watts are what the data sheet allows at most, so energy is an upper bound for the GPUs; processors,
memory and disks count only where their watts are given. Making the machines is not in it. After
Lacoste et al. 2019, "Quantifying the Carbon Emissions of Machine Learning" (arXiv 1910.09700)."""

from finewright.estimate.money import exact, product
from finewright.schema.catalog import GPU, Grid
from finewright.schema.cost import Range
from finewright.schema.money import Energy

_WATTS_A_KILOWATT = 1000.0
_GRAMS_A_KILOGRAM = 1000.0


def machine_watts(gpu: GPU, num_gpus: int, other_watts: float = 0.0) -> float:
    """What a machine of such GPUs draws at most, and `other_watts` for all else in it."""
    return gpu.tdp_watts * num_gpus + other_watts


def energy_kwh(watts: float, hours: Range | float, pue: Range | float = 1.0) -> Range:
    """What the site draws for a machine of so many watts: watts x hours x PUE."""
    drawn = product(exact(watts / _WATTS_A_KILOWATT), hours)
    return product(drawn, pue)


def co2e_kg(kwh: Range, grid: Grid) -> Range:
    """The carbon dioxide equivalent of the energy, by the mean of the country's grid over a year."""
    return product(kwh, grid.g_co2e_per_kwh / _GRAMS_A_KILOGRAM)


def energy(watts: float, hours: Range | float, pue: Range | float, grid: Grid) -> Energy:
    """Both figures, and which data they stand on."""
    kwh = energy_kwh(watts, hours, pue)
    return Energy(
        kwh=kwh,
        kg_co2e=co2e_kg(kwh, grid),
        country=grid.country,
        grid=f"{grid.name} {grid.year}, {grid.g_co2e_per_kwh:.0f} g/kWh by {grid.source}",
    )
