"""The launch through the suites of features and launchers."""

import pytest

from finewright import plugins
from finewright.conformance.feature import FeatureConformance
from finewright_bridge.launch.conformance import LauncherConformance
from finewright_bridge.launch.options import LaunchOptions


class TestLaunch(FeatureConformance):
    name = "launch"


@pytest.mark.parametrize("name", plugins.names("launcher"))
class TestLaunchers(LauncherConformance):
    pass


def test_help_names_every_target() -> None:
    what = LaunchOptions.model_fields["to"].description or ""
    assert [name for name in plugins.names("launcher") if f"{name}," not in what] == []
