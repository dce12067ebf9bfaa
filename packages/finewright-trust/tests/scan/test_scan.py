"""What means harm is found and nothing of it runs; what does not is passed."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from finewright.errors import ModelError
from finewright_trust.scan.command import ScanOptions, scan
from finewright_trust.scan.folder import scan_folder
from finewright_trust.scan.report import scan_page
from scan.artefacts import BACKDOORS, BAD, HARMLESS, PICKLES, plain

pytest.importorskip("gguf")
pytestmark = pytest.mark.torch


def errors_in(folder: Path) -> list[str]:
    problems = scan_folder(folder).problems
    return [f"{each.file} {each.key}: {each.message}" for each in problems if each.level == "error"]


@pytest.mark.parametrize("name", BAD)
def test_what_means_harm_is_found_and_does_not_run(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    BAD[name](folder)
    assert len(errors_in(folder)) >= 1
    assert not (folder / "RAN").exists()


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_only_data_passes(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    HARMLESS[name](folder)
    assert errors_in(folder) == []


def test_a_backdoor_in_a_template_is_found_by_what_it_does(tmp_path: Path) -> None:
    found = []
    for number, make in enumerate(BACKDOORS.values()):
        make(tmp_path / str(number))
        found.append(any("writes otherwise" in each for each in errors_in(tmp_path / str(number))))
    missed = [name for name, is_found in zip(BACKDOORS, found, strict=True) if not is_found]
    assert len(missed) <= len(BACKDOORS) // 20, missed


def test_a_pickle_is_shown_with_what_it_calls(tmp_path: Path) -> None:
    PICKLES["pickle os.system"](tmp_path / "model")
    (found,) = errors_in(tmp_path / "model")
    assert found == "pytorch_model.bin pickle: it holds a pickle, which calls posix system"


def test_numbers_that_are_none_are_a_warning(tmp_path: Path) -> None:
    plain(tmp_path)
    good, bad = np.ones(5, np.float16), np.array([1.0, np.nan, 3.0], np.float32)
    save_file({"good": good, "bad": bad}, tmp_path / "model.safetensors")
    (problem,) = scan_folder(tmp_path).problems
    assert (problem.level, problem.key) == ("warning", "numbers")
    assert problem.message == "1 of 2 tensors hold infinities or NaN, 'bad' first"


def test_the_report_has_a_verdict_and_the_templates_digest(tmp_path: Path) -> None:
    import hashlib

    plain(tmp_path)
    options = ScanOptions(target=str(tmp_path))
    report = scan(options, session=_Silent())  # type: ignore[arg-type] - it tells of nothing
    source = json.loads((tmp_path / "tokenizer_config.json").read_text())["chat_template"]
    digest = hashlib.sha256(source.encode()).hexdigest()
    assert report.templates == {"tokenizer_config.json: chat_template": digest}
    assert (report.passed, scan_page(report).answer) == (True, "only data was found")
    (tmp_path / "x.pkl").write_bytes(b"\x80\x04.")
    report = scan(options, session=_Silent())  # type: ignore[arg-type]
    assert (report.passed, scan_page(report).answer) == (False, "1 finding: do not load it")


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no file in it"):
        scan(ScanOptions(target=str(tmp_path)), session=_Silent())  # type: ignore[arg-type]


class _Silent:
    def on_event(self, *_: object) -> None:
        pass
