"""Places through the suite of features."""

from finewright.conformance.feature import FeatureConformance


class TestPlaces(FeatureConformance):
    name = "places"
