from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, field_validator

from finewright.schema.explain import explain, group, odd_numbers
from finewright.schema.nodes import Tree, join_keys


class Sft(BaseModel):
    method: Literal["sft"]
    epochs: float = 1


class Dpo(BaseModel):
    method: Literal["dpo"]
    beta: float = Field(gt=0)


class Spec(BaseModel):
    train: Annotated[Sft | Dpo, Field(discriminator="method")]
    layers: Literal["all"] | tuple[str, ...] = "all"
    task: Literal["write", "code"] | Literal["unknown"] = "unknown"
    odd: int = 1
    on: bool = True
    tags: tuple[str, ...] = Field((), min_length=1, max_length=3)
    code: str = Field("ab", min_length=2, max_length=3, pattern="^[a-z]+$")
    share: Annotated[float, Field(ge=0, le=1)] = 0

    @field_validator("odd")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("even numbers will not do")
        return value


def told(data: dict[str, Tree], texts: dict[str, str] | None = None) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Spec).validate_python(data)
    errors = caught.value.errors(include_url=False)
    return {
        join_keys(loc): explain(loc, found, (texts or {}).get(join_keys(loc)))
        for loc, found in group(errors, data).items()
    }


SFT = {"method": "sft"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, {"train": "required key is missing"}),
        ({"train": {}}, {"train.method": "required key is missing"}),
        (
            {"train": {"method": "dpoo"}},
            {"train.method": "must be one of 'sft', 'dpo', not 'dpoo'; did you mean 'dpo'?"},
        ),
        (
            {"train": {"method": "dpo", "beta": 0}},
            {"train.beta": "must be greater than 0, not 0"},
        ),
        ({"train": {"method": "dpo"}}, {"train.beta": "required key is missing"}),
        ({"train": SFT, "layers": 3}, {"layers": "must be 'all' or a list, not 3"}),
        (
            {"train": SFT, "layers": "al"},
            {"layers": "must be 'all' or a list, not 'al'; did you mean 'all'?"},
        ),
        (
            {"train": SFT, "task": "x"},
            {"task": "must be 'write', 'code' or 'unknown', not 'x'"},
        ),
        (
            {"train": SFT, "layers": ["x", 3]},
            {"layers.1": 'must be text, not 3; write "3" in quotes'},
        ),
        ({"train": SFT, "odd": 2}, {"odd": "even numbers will not do"}),
        ({"train": SFT, "odd": "x"}, {"odd": "must be a whole number, not 'x'"}),
        ({"train": SFT, "odd": 1.5}, {"odd": "must be a whole number, not 1.5"}),
        ({"train": SFT, "odd": None}, {"odd": "must be a whole number, not empty"}),
        ({"train": SFT, "on": "x"}, {"on": "must be true or false, not 'x'"}),
        ({"train": SFT, "tags": []}, {"tags": "must have at least 1 item(s), not empty"}),
        ({"train": SFT, "tags": "x"}, {"tags": "must be a list, not 'x'; write [x]"}),
        ({"train": SFT, "tags": {"a": 1}}, {"tags": "must be a list, not keys with values"}),
        ({"train": SFT, "code": "a"}, {"code": "must have at least 2 character(s), not 'a'"}),
        ({"train": SFT, "code": "aB"}, {"code": "must match ^[a-z]+$, not 'aB'"}),
        ({"train": SFT, "share": 2}, {"share": "must be at most 1, not 2"}),
        ({"train": SFT, "share": -1}, {"share": "must be at least 0, not -1"}),
    ],
)
def test_a_mistake_is_said_in_plain_words(data: dict[str, Tree], expected: dict[str, str]) -> None:
    assert told(data) == expected


def test_an_unknown_key_gets_a_guess_from_the_spec() -> None:
    error = ValidationError.from_exception_data(
        "Spec", [{"type": "missing", "loc": ("x",), "input": {}}]
    ).errors()[0]
    error["type"] = "extra_forbidden"
    assert explain(("train", "lr"), [error], None) == "unknown key; did you mean 'learning_rate'?"


@pytest.mark.parametrize(
    ("data", "odd"),
    [
        ({"train": {"epochs": True}}, ["train.epochs"]),
        ({"train": {"max_steps": False}}, ["train.max_steps"]),
        ({"version": True}, ["version"]),
        ({"train": {"epochs": float("inf")}}, ["train.epochs"]),
        ({"train": {"epochs": "inf"}}, ["train.epochs"]),
        ({"train": {"epochs": "1e999"}}, ["train.epochs"]),
        ({"train": {"epochs": "nan"}}, ["train.epochs"]),
        ({"train": {"epochs": "1e-4", "max_steps": 3}}, []),
        ({"train": {"epochs": "three"}}, []),
        ({"name": True, "base_models": ["inf", "nan"], "no": True}, []),
    ],
)
def test_what_only_passes_for_a_number_is_found(data: Tree, odd: list[str]) -> None:
    assert [join_keys(error["loc"]) for error in odd_numbers(data)] == odd


def test_numbers_are_shown_as_written() -> None:
    assert told({"train": SFT, "code": 16}, {"code": "0x10"}) == {
        "code": 'must be text, not 0x10; write "0x10" in quotes'
    }
