"""A user's own function: nothing of it runs before consent, and its failures name file, line and answer."""

import hashlib
from pathlib import Path

import pytest

from finewright.errors import SpecError, StageError
from finewright.judge.user_function import UserFunction
from trusting import trust_code

LENGTH = "def near(answer, row):\n    return 1 / (1 + abs(len(answer) - row['length']))\n"


def made(folder: Path, source: str, name: str = "near") -> UserFunction:
    path, content = folder / "mine.py", source.encode()
    path.write_bytes(content)
    trust_code(hashlib.sha256(content).hexdigest())
    return UserFunction(path, content, name, consent=hashlib.sha256(content).hexdigest())


def test_it_is_called_with_the_answer_and_the_row(tmp_path: Path) -> None:
    assert made(tmp_path, LENGTH)("abc", {"length": 4}) == 0.5


def test_the_consent_may_name_its_algorithm(tmp_path: Path) -> None:
    digest = hashlib.sha256(LENGTH.encode()).hexdigest()
    trust_code(digest)
    judge = UserFunction(tmp_path / "m.py", LENGTH.encode(), "near", consent=f"sha256:{digest}")
    assert judge("abcd", {"length": 4}) == 1.0


@pytest.mark.parametrize("consent", ["", "sha256:", "0" * 64, "é"])
def test_without_consent_nothing_runs_and_the_digest_is_shown(tmp_path: Path, consent: str) -> None:
    source = f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n{LENGTH}".encode()
    with pytest.raises(SpecError, match="does not run unasked") as caught:
        UserFunction(tmp_path / "mine.py", source, "near", consent=consent)
    digest = hashlib.sha256(source).hexdigest()
    assert f"consent: sha256:{digest}" in caught.value.hint
    assert "and say `finewright trust add" in caught.value.hint
    trust_code(digest)  # what was said already is not asked for again
    with pytest.raises(SpecError, match="does not run unasked") as caught:
        UserFunction(tmp_path / "mine.py", source, "near", consent=consent)
    assert "trust add" not in caught.value.hint
    assert not (tmp_path / "ran").exists()


def test_the_consent_of_a_spec_is_not_the_users(tmp_path: Path) -> None:
    source = f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n{LENGTH}".encode()
    digest = hashlib.sha256(source).hexdigest()
    with pytest.raises(SpecError, match="this user has not said to trust it") as caught:
        UserFunction(tmp_path / "mine.py", source, "near", consent=digest)
    assert f"finewright trust add {tmp_path / 'mine.py'}" in caught.value.hint
    assert not (tmp_path / "ran").exists()
    trust_code(digest)
    UserFunction(tmp_path / "mine.py", source, "near", consent=digest)
    assert (tmp_path / "ran").exists()


def test_what_was_read_runs_and_not_what_the_file_holds_by_now(tmp_path: Path) -> None:
    path, content = tmp_path / "mine.py", LENGTH.encode()
    path.write_text("raise SystemExit")
    digest = hashlib.sha256(content).hexdigest()
    trust_code(digest)
    assert UserFunction(path, content, "near", consent=digest)("abc", {"length": 3}) == 1.0


def test_no_bytecode_is_left_beside_the_file(tmp_path: Path) -> None:
    made(tmp_path, LENGTH)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


def test_the_file_may_define_dataclasses(tmp_path: Path) -> None:
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n\n"
        "@dataclass\nclass Bar:\n    height: float\n\n"
        "def near(answer, row):\n    return Bar(0.25).height\n"
    )
    assert made(tmp_path, source)("", {}) == 0.25


def test_it_cannot_change_the_row(tmp_path: Path) -> None:
    row = {"length": 3}
    made(tmp_path, "def near(answer, row):\n    row.clear()\n    return True\n")("abc", row)
    assert row == {"length": 3}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def near(answer, row:\n", "not Python"),
        ("\x00", "not Python"),
        ("def other(answer, row):\n    return 1\n", "no function 'near' in it"),
        ("print(near)\n", "no function 'near' in it"),
        ("import nowhere_at_all\ndef near(a, r): ...\n", r"mine.py:1: raised ModuleNotFoundError"),
        ("def near(answer):\n    return 1\n", "raised TypeError"),
        ("near = 7\n", "raised TypeError: 7 is not a callable object"),
    ],
)
def test_a_file_that_cannot_serve_is_one_line(tmp_path: Path, source: str, said: str) -> None:
    with pytest.raises(SpecError, match=said) as caught:
        made(tmp_path, source)
    assert "\n" not in str(caught.value)


def test_an_exception_names_file_line_function_and_answer(tmp_path: Path) -> None:
    judge = made(tmp_path, "def near(answer, row):\n\n    return row['gone']\n")
    with pytest.raises(StageError) as caught:
        judge("x" * 100, {})
    assert str(caught.value) == (
        f"{tmp_path}/mine.py:3: near raised KeyError: 'gone' for the answer '{'x' * 60}...'"
    )


@pytest.mark.parametrize("value", ["float('nan')", "float('inf')", "None", "'1'", "[1]", "1j"])
def test_what_is_no_finite_number_is_no_reward(tmp_path: Path, value: str) -> None:
    judge = made(tmp_path, f"def near(answer, row):\n    return {value}\n")
    with pytest.raises(StageError, match=r"mine.py: near gave .* for the answer 'yes'") as caught:
        judge("yes", {})
    assert caught.value.hint == "a reward is a finite number"


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    source = "import numpy as np\ndef near(answer, row):\n    return np.float32(0.5)\n"
    assert made(tmp_path, source)("", {}) == 0.5
