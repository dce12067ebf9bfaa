"""What every feature must do: a test module subclasses `FeatureConformance` and says its `name`."""

import inspect
from typing import ClassVar, get_type_hints

import pytest
from pydantic import BaseModel

from finewright import plugins
from finewright.feature import EFFECTS, Feature
from finewright.report.blocks import Page
from finewright.schema.common import Model, default_reasons
from finewright.schema.options import CommandOptions
from finewright.workbench.stages import stages


class FeatureConformance:
    """The claims: each name in the table leads to code that can be called as finewright calls it."""

    name: ClassVar[str]

    @pytest.fixture
    def feature(self) -> Feature:
        feature: Feature = plugins.resolve("feature", self.name)
        assert feature.name == self.name, "its key, its commands and its folder have one name"
        return feature

    def test_sentences_are_whole(self, feature: Feature) -> None:
        said = [feature.sentence, *(command.sentence for command in feature.commands)]
        assert [text for text in said if not text.endswith((".", "?"))] == []

    def test_every_key_of_its_section_has_a_reason_or_is_required(self, feature: Feature) -> None:
        if feature.section is None:
            return
        model: type[Model] = plugins.load(feature.section.model)
        fields = model.model_fields.items()
        usual = {name for name, field in fields if not field.is_required()}
        assert default_reasons(model).keys() == usual
        assert [name for name, field in fields if not field.description] == []
        assert callable(plugins.load(feature.section.faults or "finewright.feature:sections"))

    def test_a_command_takes_its_options_and_a_session(self, feature: Feature) -> None:
        for command in feature.commands:
            options: type[CommandOptions] = plugins.load(command.options)
            assert issubclass(options, CommandOptions)
            bare = [name for name, field in options.model_fields.items() if not field.description]
            assert bare == [], f"{command.name}: options without help"
            assert options.model_json_schema()["type"] == "object"
            given = list(inspect.signature(plugins.load(command.run)).parameters)
            assert given == ["options", "session"], command.name

    def test_a_command_says_its_effect(self, feature: Feature) -> None:
        for command in feature.commands:
            usual = EFFECTS.index(command.effect)
            fields = plugins.load(command.options).model_fields
            assert command.effects.keys() <= fields.keys(), f"{command.name}: no such option"
            assert all(EFFECTS.index(more) > usual for more in command.effects.values())

    def test_a_report_has_its_page(self, feature: Feature) -> None:
        for report, page in feature.reports.items():
            assert issubclass(plugins.load(report), BaseModel)
            shown = list(get_type_hints(plugins.load(page)).values())
            assert shown == [plugins.load(report), Page], page

    def test_its_stage_stands_behind_those_that_it_reads(self, feature: Feature) -> None:
        if feature.stage is None:
            return
        assert feature.section is not None, "a run has the stage where its spec has the section"
        assert list(inspect.signature(plugins.load(feature.stage.run)).parameters) == ["context"]
        assert issubclass(plugins.load(feature.stage.report), BaseModel)
        names = [stage.name for stage in stages()]
        assert set(feature.stage.reads) <= set(names[: names.index(feature.name)])

    def test_what_it_offers_can_be_called(self, feature: Feature) -> None:
        assert all(callable(plugins.load(target)) for target in feature.offers.values())
