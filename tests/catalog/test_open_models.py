"""The open models' shapes have as many parameters as the models themselves."""

import pytest

from finewright.catalog.models import packaged_models
from finewright.catalog.open_models import open_models
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
}


@pytest.mark.parametrize("name", COUNTED)
def test_the_parameters_are_those_of_the_model(name: str) -> None:
    assert shape_of(open_models()[name].config, name).parameters == COUNTED[name]


@pytest.mark.parametrize("name", packaged_models())
def test_every_packaged_model_can_be_planned_with_and_has_its_own_parameters(name: str) -> None:
    (row,) = (row for row in open_models().values() if name in row.aliases)
    assert shape_of(row.config, name).parameters == packaged_models()[name].parameters


def test_every_model_has_a_source_a_day_and_a_name_of_its_own() -> None:
    names = [alias for name, row in open_models().items() for alias in (name, *row.aliases)]
    assert len(set(names)) == len(names)
    assert all(row.source and row.license for row in open_models().values())
