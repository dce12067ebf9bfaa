"""The open models' shapes have as many parameters as the models themselves."""

import pytest

from finewright.catalog.models import open_models, read_packaged_models
from finewright.estimate.families import shape_of

# As the models' safetensors headers on the hub count them.
COUNTED = {
    "Qwen2.5-0.5B": 494_032_768,
    "Qwen2.5-1.5B": 1_543_714_304,
    "Qwen2.5-7B": 7_615_616_512,
    "Llama-3.1-8B": 8_030_261_248,
    "Qwen3-14B": 14_768_307_200,
    "Mixtral-8x7B": 46_702_792_704,
    "Llama-3.1-70B": 70_553_706_496,
    "SmolLM2-1.7B": 1_711_376_384,
    "Qwen3-0.6B": 596_049_920,
    "gemma-3-1b": 999_885_952,
    "Llama-3.2-1B": 1_235_814_400,
    "Qwen2.5-3B": 3_085_938_688,
    "Llama-3.2-3B": 3_212_749_824,
    "Qwen3-4B": 4_022_468_096,
    "Qwen3-8B": 8_190_735_360,
    "Phi-4": 14_659_507_200,
    "Qwen2.5-14B": 14_770_033_664,
    "Mistral-Small-24B": 23_572_403_200,
    "Qwen3-30B-A3B": 30_532_122_624,
    "Qwen3-32B": 32_762_123_264,
    "Qwen2.5-32B": 32_763_876_352,
    "Qwen2.5-72B": 72_706_203_648,
    "gemma-2-2b": 2_614_341_888,
    "gemma-2-9b": 9_241_705_984,
    "Phi-3-mini": 3_821_079_552,
    "Mistral-7B": 7_248_023_552,
    "Mistral-Large": 122_610_069_504,
    "Llama-3.1-405B": 405_853_388_800,
    "gpt-oss-20b": 20_914_757_184,
    "gpt-oss-120b": 116_829_156_672,
    "DeepSeek-R1-Distill-Qwen-1.5B": 1_777_088_000,
    "DeepSeek-R1-Distill-Qwen-7B": 7_615_616_512,
}


@pytest.mark.parametrize("name", COUNTED)
def test_the_parameters_are_those_of_the_model(name: str) -> None:
    assert shape_of(open_models()[name].config, name).parameters == COUNTED[name]


@pytest.mark.parametrize("name", read_packaged_models())
def test_every_packaged_model_can_be_planned_with_and_has_its_own_parameters(name: str) -> None:
    (row,) = (row for row in open_models().values() if name in row.aliases)
    assert shape_of(row.config, name).parameters == read_packaged_models()[name].parameters


def test_every_model_has_a_source_a_day_and_a_name_of_its_own() -> None:
    names = [alias for name, row in open_models().items() for alias in (name, *row.aliases)]
    assert len(set(names)) == len(names)
    assert all(row.source and row.license for row in open_models().values())
