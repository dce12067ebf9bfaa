"""The translation of configs through the suite of features."""

from finewright.conformance.feature import FeatureConformance


class TestTranslate(FeatureConformance):
    name = "translate"
