"""The migration through the suite of features."""

from finewright.conformance.feature import FeatureConformance


class TestMigrate(FeatureConformance):
    name = "migrate"
