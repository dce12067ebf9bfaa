"""The export through the suite of features."""

from finewright.conformance.feature import FeatureConformance


class TestExport(FeatureConformance):
    name = "export"
