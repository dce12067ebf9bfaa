"""`doctor --selfcheck`: the engine beside plain transformers, for a model of the user's."""

from pathlib import Path

import pytest

from .conftest import Finewright

SELFCHECK = ("doctor", "--selfcheck")


@pytest.mark.torch
def test_the_engine_is_compared_on_the_model_that_is_named(
    tiny_folder: Path, finewright: Finewright
) -> None:
    found = finewright("doctor", str(tiny_folder), "--selfcheck", "--json")
    assert found.json["base_model"] == str(tiny_folder)
    assert len(found.json["checks"]) == 5
    assert all(check["passed"] for check in found.json["checks"])
    assert found.code == 0


@pytest.mark.torch
def test_an_engine_that_is_wrong_ends_with_2(
    tiny_folder: Path, finewright: Finewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    from finewright.lm.fast import norm

    plain = norm._backward
    monkeypatch.setattr(norm, "_backward", lambda *inputs: plain(*inputs) * 1.001)
    found = finewright(*SELFCHECK, str(tiny_folder))
    assert found.code == 2
    assert found.out.splitlines()[0].endswith(
        "WRONG: the engine does not compute what plain transformers computes"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("smollm2-136m-instruct", "unknown base model 'smollm2-136m-instruct'; did you mean"),
        ("./nowhere", "base model './nowhere': there is no such file or folder"),
    ],
)
def test_a_bad_name_is_one_line(name: str, message: str, finewright: Finewright) -> None:
    found = finewright(*SELFCHECK, name)
    assert found.code == 2
    assert found.err.splitlines()[0].startswith(f"error: {message}")
    assert "Traceback" not in found.err


def test_a_name_without_the_flag_is_refused(finewright: Finewright) -> None:
    found = finewright("doctor", "smollm2-135m-instruct")
    assert found.code == 2
    assert "a base model is for --selfcheck" in found.err


def test_memory_that_keeps_files_is_free(
    tmp_path: Path, finewright: Finewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 16777216 kB\nMemFree: 1048576 kB\nMemAvailable: 9437184 kB\n")
    monkeypatch.setattr("finewright.lm.runtime._MEMORY", meminfo)
    memory = next(
        one for one in finewright("doctor", "--json").json["findings"] if one["name"] == "memory"
    )
    assert (memory["passed"], memory["detail"]) == (True, "9.0 GiB free")
