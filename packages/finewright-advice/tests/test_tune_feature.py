"""The search through the suite of features."""

from finewright.conformance.feature import FeatureConformance


class TestTune(FeatureConformance):
    name = "tune"
