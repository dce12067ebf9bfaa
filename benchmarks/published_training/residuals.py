"""Training that others measured, beside the estimates: `python benchmarks/estimator.py --published --bars`.

training.csv has a row for each configuration, training.yaml its sources, the models, and what was not used
and why. The half called `chosen` chose the constants of the seconds, the other one nothing. The formula of
memory follows the code; of eager attention the bytes of a score were seen in these figures first."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import yaml

from bars import Bar
from finewright.catalog.prices import gpu_named, read_packaged_prices
from finewright.estimate.families import shape_of
from finewright.estimate.shape import ModelShape
from finewright.report.columns import table
from finewright.schema.adapter import FullSpec, LoraSpec
from finewright_advice.estimate.framework_time import step_seconds
from finewright_advice.estimate.frameworks import FRAMEWORKS, framework_memory
from finewright_advice.estimate.memory import MemoryLoad

HERE = Path(__file__).parent
MIB = 2**20
SIZES = (
    *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    *("num_key_value_heads", "vocab_size", "head_dim"),
)
LETTERS = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "o_proj"}
ENOUGH_PEAKS, ENOUGH_TIMES = 60, 20
MEDIAN, WORST = 0.05, 0.1
WITHIN = 0.25


@dataclass(frozen=True, slots=True)
class Residual:
    """One published figure: its row's name, what it is, and what is estimated in its place."""

    row: str
    figure: str
    half: str
    published: float
    estimated: float

    @property
    def off(self) -> float:
        """The share by which the estimate is over the published figure."""
        return self.estimated / self.published - 1


def residuals() -> Iterator[Residual]:
    """Every peak and every step of the table."""
    known = yaml.safe_load((HERE / "training.yaml").read_text(encoding="utf-8"))
    shapes = {name: _shape(sizes) for name, sizes in known["models"].items()}
    gpus, framework = read_packaged_prices(), FRAMEWORKS["transformers"]
    with (HERE / "training.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            shape, load, gpu = shapes[row["model"]], _load(row), gpu_named(gpus, row["gpu"])
            keys = ("model", "method", "quantization", "attention", "gpu")
            name = " ".join([*(row[key] for key in keys), f"{row['batch']}x{row['length']}"])
            if row["peak_mib"]:
                use = framework_memory(shape, load, framework, eager=row["attention"] == "eager")
                found = use.tensors / MIB
                yield Residual(name, "MiB", row["half"], float(row["peak_mib"]), found)
            if row["seconds"]:
                found = step_seconds(shape, load, framework, gpu)
                yield Residual(name, "s", row["half"], float(row["seconds"]), found)


def bars() -> list[Bar]:
    """Print every residual and the halves, and give the bars."""
    found = list(residuals())
    rows = [
        [r.row, r.figure, r.half, f"{r.published:,.4g}", f"{r.estimated:,.4g}", f"{r.off:+.1%}"]
        for r in found
    ]
    print(table(["row", "figure", "half", "published", "estimated", "off"], rows))
    for figure in ("MiB", "s"):
        for half in ("chosen", "held out"):
            own = [r for r in found if (r.figure, r.half) == (figure, half)]
            print(f"{figure}, {half}: {_said(own)}")
    peaks = [abs(r.off) for r in found if r.figure == "MiB"]
    held = [abs(r.off) for r in found if r.figure == "s" and r.half == "held out"]
    inside = sum(off <= WITHIN for off in held)
    on = f"{len(peaks)} peaks"
    return [
        Bar("published peaks", len(peaks), ENOUGH_PEAKS),
        Bar("off in the median", median(peaks), MEDIAN, True, on),
        Bar("off at most", max(peaks), WORST, True, on),
        Bar("held-out steps within a quarter", inside, ENOUGH_TIMES, on=f"of {len(held)}"),
    ]


def _said(rows: list[Residual]) -> str:
    offs = [abs(r.off) for r in rows]
    inside = sum(off <= WITHIN for off in offs)
    return f"{len(rows)}, median {median(offs):.1%} off, worst {max(offs):.1%}, {inside} within a quarter"


def _shape(sizes: list[str | int]) -> ModelShape:
    family, *numbers, head = sizes
    config = {"model_type": family, "tie_word_embeddings": head == "tied", "pad_token_id": 0}
    return shape_of({**config, **dict(zip(SIZES, numbers, strict=True))})


def _load(row: dict[str, str]) -> MemoryLoad:
    tokens = int(row["batch"]) * int(row["length"])
    adapter: FullSpec | LoraSpec = FullSpec()
    if row["method"] == "lora":
        names = row["targets"]
        targets = names if names == "all-linear" else [LETTERS[name] for name in names.split()]
        adapter = LoraSpec.model_validate(
            {"r": int(row["rank"]), "quantization": row["quantization"], "target_modules": targets}
        )
    return MemoryLoad(adapter, tokens, tokens, int(row["length"]), lean=True, gpu=True)
