"""Every kind of an option reaches the model that describes it, and what it refuses is one line."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pytest
import typer
from pydantic import BaseModel, Field, model_validator
from typer.testing import CliRunner

from finewright.cli.action import Action
from finewright.cli.build import function_of
from finewright.errors import DataError
from finewright.feature import Command, Feature, Session
from finewright.schema.options import Columns, CommandOptions, Flag, argument, option


class EveryKind(CommandOptions):
    path: Annotated[Path, argument("PATH")] = option(..., "A path.")
    word: Annotated[str, Flag("--word -w")] = option("a", "A word.")
    words: Annotated[tuple[str, ...], Flag("--also")] = option((), "More of them.")
    count: int = option(3, "A number.", ge=1, le=5)
    share: float = option(0.5, "A share.", gt=0)
    choice: Literal["near", "far"] | Literal["off"] = option("off", "One of these.")
    choices: tuple[Literal["near", "far"], ...] = option((), "Some of these.")
    columns: Columns = Field(default_factory=dict)
    sure: bool = option(False, "Really?")
    tuned: bool | None = option(None, "Or as it is.")

    @model_validator(mode="after")
    def _word_goes_with_sure(self) -> Self:
        if self.word == "b" and not self.sure:
            raise ValueError("--word b is for --sure, which is not given")
        return self


class Echo(BaseModel):
    given: EveryKind
    passed: bool = True


def echo(options: EveryKind, session: Session) -> Echo:
    return Echo(given=options, passed=options.count < 5)


def invoke(*arguments: str) -> Any:
    command = Command(
        "echo", "Echo.", f"{__name__}:EveryKind", f"{__name__}:echo", "reads", is_check=True
    )
    app = typer.Typer(rich_markup_mode=None)
    app.command()(function_of(Action(command, Feature("toy", "A toy."))))
    return CliRunner().invoke(app, ["rows.jsonl", *arguments])


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ("", {"path": "rows.jsonl", "word": "a", "words": [], "tuned": None, "columns": {}}),
        ("-w c --also d --also e", {"word": "c", "words": ["d", "e"]}),
        ("--count 4 --share 2.5", {"count": 4, "share": 2.5}),
        (
            "--choice far --choices near --choices far",
            {"choice": "far", "choices": ["near", "far"]},
        ),
        ("--column a=b --column c=d=e", {"columns": {"a": "b", "c": "d=e"}}),
        ("--sure --no-tuned", {"sure": True, "tuned": False}),
        ("--tuned", {"tuned": True}),
    ],
)
def test_what_is_typed_is_what_the_model_has(arguments: str, given: dict[str, Any]) -> None:
    done = invoke(*arguments.split(), "--json")
    assert done.exit_code == 0
    assert given.items() <= json.loads(done.stdout)["given"].items()


def test_the_exit_code_of_a_check_is_its_verdict() -> None:
    assert (invoke().exit_code, invoke("--count", "5").exit_code) == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ("--count 6", "Invalid value for '--count'"),
        ("--share 0", "Invalid value for '--share': Input should be greater than 0"),
        ("--word b", "--word b is for --sure, which is not given"),
    ],
)
def test_a_refusal_names_the_option(arguments: str, what: str) -> None:
    done = invoke(*arguments.split())
    assert done.exit_code == 2
    assert what in done.output


@pytest.mark.parametrize(
    ("arguments", "what", "hint"),
    [
        ("--choice fra", "--choice fra: there is no such value", "did you mean 'far'?"),
        ("--choices x", "--choices x: there is no such value", "use one of: near, far"),
        ("--column ab", "--column ab: is not OURS=THEIRS", "write OURS=THEIRS: e.g. prompt"),
    ],
)
def test_a_choice_that_is_none_is_told_the_one_that_is_meant(
    arguments: str, what: str, hint: str
) -> None:
    error = invoke(*arguments.split()).exception
    assert isinstance(error, DataError)
    assert str(error) == what
    assert error.hint.startswith(hint)


def test_the_same_model_describes_a_request() -> None:
    properties = EveryKind.model_json_schema()["properties"]
    assert properties["count"] | {"maximum": 5, "minimum": 1, "default": 3} == properties["count"]
    assert EveryKind.model_validate_json('{"path": "x", "columns": {"a": "b"}}').columns == {
        "a": "b"
    }
