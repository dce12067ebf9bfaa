"""One project folder in which every case runs once, in this process."""

import io
import json
import shlex
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from pydantic import BaseModel

from finewright.cli import output
from finewright.cli.main import main
from finewright.lm import runtime

from .cases import CASES, Case
from .normal import normal, schema_keys

HERE = Path(__file__).parent


class Project:
    """A folder with the inputs, tiny models and kept runs; what ran in it is remembered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self._home = folder / "home"
        self._outputs: dict[str, dict[str, Any]] = {}
        self.reports: dict[str, BaseModel] = {}
        self.changed: dict[str, set[Path]] = {}
        """Case -> the files of the project that it made or changed."""

    def output(self, name: str) -> dict[str, Any]:
        """What a case gives, after the cases that it needs."""
        if name not in self._outputs:
            case = CASES[name]
            for each in case.needs:
                self.output(each)
            before = self._files()
            self._outputs[name] = self._run(name, case)
            after = self._files()
            self.changed[name] = {path for path in after if after[path] != before.get(path)}
        return self._outputs[name]

    def _files(self) -> dict[Path, tuple[int, int]]:
        """Every file, with its size and the time of its last change."""
        stats = {path: path.stat() for path in self.folder.rglob("*") if path.is_file()}
        return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}

    def _run(self, name: str, case: Case) -> dict[str, Any]:
        run = next((self.folder / "runs").glob("*-tiny-*"), Path())
        old = next((self.folder / "old").glob("2*-tiny-*"), Path())
        argv = case.argv.replace("{run}", f"runs/{run.name}").replace("{old}", f"old/{old.name}")
        is_plain = case.text or case.argv == "schema"
        out, err, show = io.StringIO(), io.StringIO(), output.show

        def kept(report: BaseModel, *, as_json: bool, is_whole: bool) -> None:
            self.reports[name] = report
            show(report, as_json=as_json, is_whole=is_whole)

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOME", str(self._home))
            patch.setenv("FINEWRIGHT_CACHE", str(self._home / "cache"))
            patch.setattr("torch.cpu.get_capabilities", dict)
            patch.setattr(runtime, "cpu_flags", frozenset)  # fp32 whatever the processor can
            patch.setattr(output, "show", kept)
            patch.chdir(self.folder)
            words = [*shlex.split(argv), *(() if is_plain else ("--json",))]
            patch.setattr(sys, "argv", ["finewright", *words])
            with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
                main()
        text = out.getvalue()
        assert text or case.code, err.getvalue()
        return {
            "command": f"finewright {case.argv}",
            "code": int(ended.value.code or 0),
            "output": text if case.text else self._compared(case, json.loads(text)),
        }

    def _compared(self, case: Case, output: Any) -> Any:
        if case.argv == "schema":
            output = schema_keys(output)
        return normal(output, str(self.folder.parent), frozenset(case.drop))


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, built_kernels: Path) -> Project:
    """The inputs with three tiny models."""
    import torch

    import tiny

    if torch.cuda.is_available():
        pytest.skip("the outputs are those of a CPU")
    folder = tmp_path_factory.mktemp("golden")
    copytree(HERE / "inputs", folder / "project")
    copytree(HERE / "kept", folder / "project/old")
    for name, family, window in (
        ("base", "llama", 256),
        ("other", "qwen3", 256),
        ("long", "llama", 4096),
    ):
        model = tiny.tiny_model(family)
        model.config.max_position_embeddings = window
        model.save_pretrained(folder / "project" / name)
        tiny.tiny_tokenizer().save_pretrained(folder / "project" / name)
    (folder / "home/cache").mkdir(parents=True)
    (folder / "home/cache/kernels").symlink_to(built_kernels)
    (folder / "home/.config/finewright/trust").mkdir(parents=True, mode=0o700)
    (folder / "home/.config/finewright/trust/mac.key").symlink_to(built_kernels / "mac.key")
    return Project(folder)
