"""The engine's check on a user's machine: right where the engine is right, and not where a trick is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tiny
from finewright.errors import ModelError
from finewright.lm.fast import attention, head, linear, mlp, norm
from finewright.lm.selfcheck import EXACT, selfcheck
from finewright.lm.sources import LocalBase
from finewright.schema.report import SelfCheckReport

pytestmark = pytest.mark.torch

FP32, PACKED, SHARED, LEAN, BF16 = (
    "fp32 gradients: from plain autograd's",
    "rows end to end: from rows alone",
    "shared prompts: from prompts apart",
    "memory lean: from fast",
    "bf16 gradients: from fp32's",
)


# Of Nemotron H transformers writes the layers one by one, and no number of them.
HYBRIDS = [family for family in tiny.HYBRIDS if family != "nemotron_h"]


def base_of(family: str, folder: Path, **changes: Any) -> LocalBase:
    tiny.tiny_model(family).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return LocalBase(family, folder, "", "unknown")


def failed(report: SelfCheckReport) -> set[str]:
    return {check.name for check in report.checks if not check.passed}


@pytest.mark.parametrize("family", [*tiny.ALL_FAMILIES, *HYBRIDS])
def test_the_engine_passes_on_every_family(family: str, tmp_path: Path) -> None:
    report = selfcheck(base_of(family, tmp_path))
    assert [check.name for check in report.checks] == [FP32, PACKED, SHARED, LEAN, BF16]
    assert {check.bar for check in report.checks[:-1]} == {EXACT}
    assert 0 < report.checks[0].measured < EXACT / 5
    assert failed(report) == set()
    assert report.passed


def test_what_is_slower_than_it_could_be_is_listed(tmp_path: Path) -> None:
    report = selfcheck(base_of("mixtral", tmp_path))
    assert any("its experts share tensors" in path for path in report.slow_paths)


def scaled(function: Callable[..., Any], factor: float) -> Callable[..., Any]:
    """The function with its first result off by a factor."""

    def wrong(*args: Any, **kwargs: Any) -> Any:
        found = function(*args, **kwargs)
        if isinstance(found, Tensor):
            return found * factor
        if found[0] is None:  # the first layer's x takes no gradient
            return found
        first, *others = found
        kind = type(found)
        return kind((first * factor, *others)) if kind is tuple else kind(first * factor, *others)

    return wrong


@pytest.mark.parametrize(
    ("module", "name"),
    [(norm, "_backward"), (linear, "lora_backward"), (mlp, "glu_backward"), (head, "_score")],
    ids=["norm", "linear", "mlp", "head"],
)
def test_a_gradient_that_is_off_by_a_thousandth_is_reported(
    module: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading compares only what goes forward."""
    monkeypatch.setattr(module, name, scaled(getattr(module, name), 1.001))
    report = selfcheck(base_of("llama", tmp_path))
    assert FP32 in failed(report)
    assert not report.passed


def test_attention_across_a_shared_prompt_that_is_wrong_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = attention._keys_of

    def forgetful(segment: Any, *parts: Tensor) -> Any:
        """The first token of the prompt is not seen."""
        if segment.prefix_length > 1:
            prefix = (segment.prefix_start + 1, segment.prefix_length - 1)
            segment = segment._replace(prefix_start=prefix[0], prefix_length=prefix[1])
        return plain(segment, *parts)

    monkeypatch.setattr(attention, "_keys_of", forgetful)
    assert SHARED in failed(selfcheck(base_of("llama", tmp_path)))


def test_bfloat16_that_is_coarser_than_need_be_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = linear.lora_forward

    def coarse(x: Tensor, lora: Any) -> Any:
        """Three bits of each number are lost, as float32 numbers would not show."""
        if x.dtype == torch.bfloat16:
            x = x.to(torch.float8_e4m3fn).to(x.dtype)
        return plain(x, lora)

    for module in (linear, mlp):
        monkeypatch.setattr(module, "lora_forward", coarse)
    assert failed(selfcheck(base_of("llama", tmp_path))) == {BF16}


@pytest.mark.parametrize(
    ("family", "kinds", "checked"),
    [
        ("llama", None, 2),
        ("gemma3_text", ["sliding_attention"] * 3 + ["full_attention"] * 2, 4),
        ("gemma3_text", ["sliding_attention"] * 5, 2),
    ],
    ids=["alike", "two kinds", "one kind"],
)
def test_of_a_large_model_the_first_layers_of_each_kind_are_taken(
    family: str,
    kinds: list[str] | None,
    checked: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("finewright.lm.selfcheck._SMALL", 1000)
    monkeypatch.setitem(tiny.CONFIGS, family, deeper(family, kinds))
    report = selfcheck(base_of(family, tmp_path))
    assert (report.layers, report.layers_checked) == (5, checked)
    assert report.passed
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
    ]
    assert json.loads((tmp_path / "config.json").read_text())["num_hidden_layers"] == 5
    assert "UNEXPECTED" not in capfd.readouterr().err


def deeper(family: str, kinds: list[str] | None) -> Any:
    config = type(tiny.CONFIGS[family])(
        **{**tiny.CONFIGS[family].to_dict(), "num_hidden_layers": 5, "layer_types": kinds}
    )
    config.dtype = None
    return config


def test_gradients_that_are_no_numbers_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlp, "glu_backward", scaled(mlp.glu_backward, float("nan")))
    report = selfcheck(base_of("llama", tmp_path))
    assert failed(report) == {FP32, PACKED, SHARED, LEAN, BF16}


def test_a_config_without_a_number_of_layers_is_an_error_in_one_line(tmp_path: Path) -> None:
    base = base_of("llama", tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ModelError, match="does not say how many layers"):
        selfcheck(base)


@pytest.mark.parametrize(
    "header", [b"weights", b"[" * 100_000, b'{"a": {"shape": 1}}'], ids=["text", "deep", "other"]
)
def test_a_folder_that_is_no_model_is_an_error_in_one_line(tmp_path: Path, header: bytes) -> None:
    base = base_of("llama", tmp_path)
    content = len(header).to_bytes(8, "little") + header
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="not a readable safetensors file"):
        selfcheck(base)
