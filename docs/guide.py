"""The numbers of docs/guide.md, computed from the catalog and the estimators."""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from finewright.catalog.models import open_models
from finewright.catalog.prices import read_packaged_prices
from finewright.estimate.families import shape_of
from finewright.estimate.shape import ModelShape
from finewright.report.cells import number
from finewright.schema.adapter import FullSpec, LoraSpec
from finewright.schema.cost import Range
from finewright_advice.catalog.advice import read_packaged_advice
from finewright_advice.catalog.laws import read_packaged_laws
from finewright_advice.decide.arms import Arm, Figures
from finewright_advice.decide.case import middle
from finewright_advice.decide.facts import Facts
from finewright_advice.decide.figures import figures_with
from finewright_advice.decide.models import models_of
from finewright_advice.decide.request import list_rented
from finewright_advice.decide.spec import DecideSpec
from finewright_advice.estimate.memory import NF4_BYTES, MemoryLoad, memory

AS_OF = date(2026, 11, 27)
_GIB = 1024**3
_PARAMETERS_65B = 65.2e9
_TEN = 10.0
_DAILY = round(1000 * 365 / 12)


def claimed() -> dict[str, str]:
    """Every word in braces of `guide.yaml`."""
    laws = read_packaged_laws()
    found = {f"since_{name.replace('-', '_')}": str(d.since) for name, d in laws.duties.items()}
    fines = {name: f"{fine.text}, {fine.article}" for name, fine in laws.fines.items()}
    found |= {f"fine_{name}": text for name, text in fines.items() if not name.startswith("gdpr")}
    found["fine_gdpr"] = f"{fines['gdpr-principles']}, and {fines['gdpr-duties']}"
    search = read_packaged_advice().assumptions["retrieval_ms"]
    found |= {"search_low": number(search.low), "search_high": number(search.high)}
    found["nf4_65b"] = number(_PARAMETERS_65B * NF4_BYTES / _GIB)
    found["bits_3gb"] = f"{8 * 3e9 / _PARAMETERS_65B:.2f}"
    return found | _memory() | _prices()


def memory_falls() -> Iterator[tuple[str, float, float]]:
    """(model, how many times less memory by LoRA, and with 4-bit weights), of every open model."""
    for name, row in open_models().items():
        shape = shape_of(row.config, name)
        whole = _tensors(shape, FullSpec())
        yield (
            name,
            whole / _tensors(shape, LoraSpec()),
            whole / _tensors(shape, LoraSpec(quantization="nf4")),
        )


def _memory() -> dict[str, str]:
    falls = list(memory_falls())
    plain, packed = [fall[1] for fall in falls], [fall[2] for fall in falls]
    return {
        "num_models": str(len(falls)),
        "lora_low": number(min(plain)),
        "lora_high": number(max(plain)),
        "qlora_low": number(min(packed)),
        "qlora_high": number(max(packed)),
        "ten_and_more": str(sum(each >= _TEN for each in packed)),
    }


def _tensors(shape: ModelShape, adapter: FullSpec | LoraSpec) -> float:
    load = MemoryLoad(adapter=adapter, tokens=2048, learned=1024, longest=2048, lean=True, gpu=True)
    return memory(shape, load).tensors


def _prices() -> dict[str, str]:
    hosts = {host.name: host.usd_per_hour for host in list_rented(read_packaged_prices())}
    seven, seventy = (_figures(base_model=name) for name in ("Qwen2.5-7B", "Llama-3.1-70B"))
    tuned = _figures(labelled_pairs=10_000, tokens_in=400, tokens_out=112)[_FT]
    vast = _figures(corpus_tokens=10**12)[Arm("rag", "api")]
    small = _figures(corpus_tokens=10**6)[Arm("rag", "api")]
    months = {
        name: _figures(api_model=name)[_PROMPT].month_usd.median
        for name in ("gpt-6-luna", "claude-opus-5-5")
    }
    seven_usd, seventy_usd = (_cheapest_month(of[_OWN]) for of in (seven, seventy))
    return {
        "a100_low": f"{hosts['A100 80GB PCIe'].low:.2f}",
        "h100_low": f"{hosts['H100 PCIe'].low:.2f}",
        "rtx4090_low": f"{hosts['RTX 4090'].low:.2f}",
        "run_low": f"{tuned.run_usd.low:.2f}",
        "run_high": f"{tuned.run_usd.high:.2f}",
        "luna_month": f"{months['gpt-6-luna']:.2f}",
        "opus_month": f"{months['claude-opus-5-5']:.0f}",
        "trillion_once": number(vast.once_usd.median),
        "trillion_month": number(vast.fixed_month_usd.median - small.fixed_month_usd.median),
        "host_7b_low": f"{seven_usd.low:.0f}",
        "host_7b_high": f"{seven_usd.high:.0f}",
        "host_70b_low": number(seventy_usd.low),
        "host_70b_high": number(seventy_usd.high),
    }


_FT, _PROMPT = Arm("ft", "self-hosted"), Arm("prompt", "api")
_OWN = Arm("prompt", "self-hosted")


def _cheapest_month(figures: Figures) -> Range:
    """With weights in 16 bits or in 4."""
    months = [each.month_usd for each in (figures, *figures.others)]
    return min(months, key=lambda month: month.median)


def _figures(**changes: object) -> Mapping[Arm, Figures]:
    """1,000 requests a day of 1,000 + 300 tokens, but for what is changed."""
    plain = {"base_model": "Qwen2.5-7B", "api_model": "gpt-6-luna", "hardware": "none"}
    size = {"requests_per_month": _DAILY, "tokens_in": 1000, "tokens_out": 300}
    spec = DecideSpec.model_validate({**plain, **size, **changes})
    models = models_of(spec.base_model, Path, AS_OF)
    facts = Facts(read_packaged_prices(), read_packaged_advice(), models, AS_OF)
    return figures_with(facts)(middle(spec, read_packaged_advice()))
