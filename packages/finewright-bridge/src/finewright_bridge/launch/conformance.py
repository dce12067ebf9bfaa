"""What every launcher must do: a test module subclasses `LauncherConformance`, with its name as parameter."""

import re
from pathlib import Path

from finewright import plugins
from finewright.schema.load import load_spec
from finewright_bridge.launch.launcher import LauncherPlugin, LaunchPlan, values_of
from finewright_bridge.launch.machine import ChosenMachine, gpu_names

_SPEC = """\
name: tiny
base_models: [meta-llama/Llama-3.2-1B-Instruct]
data: {sources: [{path: rows.jsonl}]}
train: {epochs: 1, adapter: {type: lora, r: 16}}
"""


class LauncherConformance:
    """The claims: texts, the same for the same plan, with no path and no value of this machine."""

    def plan(self, folder: Path, name: str, plugin: LauncherPlugin) -> LaunchPlan:
        """A plan with all that may be given."""
        (folder / "spec.yaml").write_text(_SPEC, encoding="utf-8")
        provider = next(iter(plugin.providers), "")
        gpu = next(iter(gpu_names(plugin.gpus))) if plugin.gpus else "L4"
        machine = ChosenMachine(provider, "ml.g6.xlarge", gpu, 1, None, None, 1.0)
        given = {key: key for key, value in plugin.values.items() if value.default is None}
        return LaunchPlan(
            loaded=load_spec(folder / "spec.yaml"),
            job="tiny-0123abcd",
            num_bytes=10,
            machine=machine,
            place="s3://ours" if plugin.place else "",
            is_spot=plugin.has_spot,
            limit_s=None if plugin.refuses_limit else 3600,
            env=() if plugin.refuses_env else ("PATH",),
            values=values_of(plugin, name, given),
        )

    def test_it_writes_texts_below_its_folder(self, tmp_path: Path, name: str) -> None:
        """And twice the same."""
        plugin: LauncherPlugin = plugins.resolve("launcher", name)
        plan = self.plan(tmp_path, name, plugin)
        written = plugin.write(plan)
        assert written.files
        assert plugin.sentence.endswith(".")
        for path, text in written.files.items():
            assert not Path(path).is_absolute()
            assert ".." not in Path(path).parts
            assert str(tmp_path) not in text
        assert written == plugin.write(plan)

    def test_it_says_how_it_is_started(self, tmp_path: Path, name: str) -> None:
        """By commands, or in words."""
        plugin: LauncherPlugin = plugins.resolve("launcher", name)
        written = plugin.write(self.plan(tmp_path, name, plugin))
        assert written.steps or written.notes

    def test_a_variable_is_named_and_has_no_value(self, tmp_path: Path, name: str) -> None:
        """Its value stays where the command is typed."""
        plugin: LauncherPlugin = plugins.resolve("launcher", name)
        if plugin.refuses_env:
            return
        written = plugin.write(self.plan(tmp_path, name, plugin))
        text = "\n".join([*written.files.values(), *map(" ".join, written.steps)])
        assert re.search(r"\bPATH\b", text)
