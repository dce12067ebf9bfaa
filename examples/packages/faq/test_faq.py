"""The suite of engines, on answers of a file."""

from collections.abc import Callable

import pytest
from finewright_faq.engine import FaqEngine

from finewright_serve.conformance.engine import EngineConformance
from finewright_serve.gateway.question import ModelEngine


class TestFaq(EngineConformance):
    model = "faq"
    text = "Which city is the capital of France?"

    @pytest.fixture
    def made(self) -> Callable[[], ModelEngine]:
        return lambda: FaqEngine("faq", {self.text: "It is the city of Paris."}, "?")
