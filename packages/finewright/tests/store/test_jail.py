"""What strangers' files are read in: it gives up the network, programs, changes to files, memory and time."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import jailed_calls as calls
from finewright.errors import StoreError
from finewright.store import jail
from finewright.store.jail import Jailed, Limits, run_jailed

_LIMITS = Limits(cpu_seconds=1.0, memory_mib=128)


def test_plain_data_goes_in_and_out_and_the_process_is_kept() -> None:
    value = {"a": [1, 2.5, None, True, "\u00e4\ud800"], "b": {}}
    assert run_jailed(calls.give, value, limits=_LIMITS) == value
    assert run_jailed(calls.process) == run_jailed(calls.process)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (calls.loop, "it takes more than 1 s of a core"),
        (calls.fill, "it takes more than 128 MiB of memory"),
        (calls.nest, "it nests too deeply"),
        (calls.fail, "ValueError: two lines"),
        (calls.end, "broke off"),
        (calls.answer_garbage, "broke off"),
        (calls.answer_endlessly, "it gives more than 256 MiB"),
    ],
)
def test_what_harms_ends_in_one_line_and_the_next_call_is_answered(
    call: Callable[[], object], said: str
) -> None:
    started = time.monotonic()
    with pytest.raises(Jailed, match=said) as caught:
        run_jailed(call, limits=_LIMITS)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - started < 30
    assert run_jailed(calls.give, 1, limits=_LIMITS) == 1


def test_what_only_waits_is_ended_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finewright.store.jail._CLOCK_MORE", 1)
    with pytest.raises(Jailed, match="it does not end"):
        run_jailed(calls.sleep, limits=Limits(cpu_seconds=0.1))


def test_a_process_that_has_grown_is_replaced() -> None:
    before = run_jailed(calls.process)
    run_jailed(calls.grow)
    assert run_jailed(calls.process) != before


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
@pytest.mark.parametrize(
    "what",
    [
        *("connect", "local socket", "another program", "signal"),
        *("write", "create", "delete", "rename", "change"),
    ],
)
def test_it_reaches_nothing_and_changes_nothing(what: str, tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("as it was")
    assert calls.attempt(what, str(path)) != "PermissionError"  # nothing forbids it outside
    path.write_text("as it was")
    path.chmod(0o600)
    assert run_jailed(calls.attempt, what, str(path)) == "PermissionError"
    assert path.read_text() == "as it was"


def test_no_variable_of_the_user_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert "OPENAI_API_KEY" not in run_jailed(calls.environment)


def test_a_jail_that_cannot_be_closed_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    open_jail = "import json, sys; out = json.dumps({'ready': True, 'sealed': False}).encode()\n"
    open_jail += "sys.stdout.buffer.write(len(out).to_bytes(8, 'little') + out); sys.stdout.flush()"
    monkeypatch.setattr(jail, "_CHILD", open_jail.replace("{", "{{").replace("}", "}}"))
    jail._Worker(["nothing"]).end()
    assert "only its memory and time are bounded" in caplog.text


def test_a_jail_that_does_not_start_blames_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jail, "_CHILD", "raise SystemExit(1)")
    with pytest.raises(StoreError, match="did not start") as raised:
        jail._Worker(["nothing"])
    assert not isinstance(raised.value, Jailed)
    assert raised.value.hint == "try again when this machine is less busy"
