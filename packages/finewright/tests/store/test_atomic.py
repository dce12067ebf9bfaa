import errno
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from finewright.errors import StoreError
from finewright.store import atomic


def fail_with(number: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def write_half_then_fail(number: int) -> Callable[[int, memoryview], int]:
    real = os.write
    calls: list[int] = []

    def write(descriptor: int, content: memoryview) -> int:
        if calls:
            raise OSError(number, os.strerror(number))
        calls.append(1)
        return real(descriptor, content[: len(content) // 2])

    return write


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_written_bytes_are_the_bytes_on_disk(tmp_path: Path) -> None:
    atomic.write_bytes(tmp_path / "a.bin", b"\x00\xff" * 1000)
    assert (tmp_path / "a.bin").read_bytes() == b"\x00\xff" * 1000
    assert names(tmp_path) == ["a.bin"]


def test_text_is_written_as_utf8(tmp_path: Path) -> None:
    atomic.write_text(tmp_path / "a.txt", "é\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\n"


def test_json_can_be_read_back_and_keeps_letters_readable(tmp_path: Path) -> None:
    atomic.write_json(tmp_path / "a.json", {"ä": [1, None]})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "ä" in text
    assert json.loads(text) == {"ä": [1, None]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x"])
def test_what_json_cannot_say_is_refused_and_the_old_file_stays(
    tmp_path: Path, value: object
) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(StoreError, match=r"a\.json: not expressible as JSON"):
        atomic.write_json(path, {"x": value})
    assert path.read_text() == "old"


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old and longer")
    atomic.write_text(path, "new")
    assert path.read_text() == "new"


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    atomic.write_text(tmp_path / "ours", "x")
    (tmp_path / "usual").write_text("x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission denied"),
        (errno.EPERM, "permission denied"),
        (errno.EIO, "Input/output error"),
    ],
)
@pytest.mark.parametrize("call", ["write", "fsync", "replace", "open"])
def test_an_os_error_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str, call: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    fake = write_half_then_fail(number) if call == "write" else fail_with(number)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fake)
        with pytest.raises(StoreError) as caught:
            atomic.write_text(path, "new text")
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_interrupt_while_writing_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write_text(tmp_path / "a.txt", "x")
    assert names(tmp_path) == []


def test_a_missing_folder_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no/a\.txt: No such file or directory"):
        atomic.write_text(tmp_path / "no" / "a.txt", "x")


def test_a_folder_that_cannot_be_synced_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):  # noqa: PTH112
            raise OSError(errno.EINVAL, "no")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    atomic.write_text(tmp_path / "a.txt", "x")
    assert (tmp_path / "a.txt").read_text() == "x"


def test_a_folder_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "adapter"
    with atomic.replace_dir(target) as fresh:
        (fresh / "sub").mkdir()
        (fresh / "sub" / "a.bin").write_bytes(b"1")
        assert not target.exists()
    assert (target / "sub" / "a.bin").read_bytes() == b"1"
    assert names(tmp_path) == ["adapter"]


def test_a_folder_is_swapped_for_the_one_before_it(tmp_path: Path) -> None:
    target = tmp_path / "adapter"
    target.mkdir()
    (target / "old").write_text("old")
    with atomic.replace_dir(target) as fresh:
        (fresh / "new").write_text("new")
        assert names(target) == ["old"]
    assert names(target) == ["new"]
    assert names(tmp_path) == ["adapter"]


def test_a_failing_block_leaves_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "adapter"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(ZeroDivisionError), atomic.replace_dir(target) as fresh:
        (fresh / "new").write_text(str(1 / 0))
    assert names(target) == ["old"]
    assert names(tmp_path) == ["adapter"]


def test_a_full_disk_inside_the_block_is_told_with_the_target(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreError, match=r"adapter: the disk is full"),
        atomic.replace_dir(tmp_path / "adapter"),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"x")
    assert names(tmp_path) == []


def test_a_failing_second_rename_brings_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "adapter"
    target.mkdir()
    (target / "old").write_text("old")
    real = os.rename

    def rename(source: Path, goal: Path) -> None:
        if goal == target and ".old." not in source.name:
            raise OSError(errno.EIO, "no")
        real(source, goal)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(StoreError), atomic.replace_dir(target) as fresh:
        (fresh / "new").write_text("new")
    assert names(target) == ["old"]
    assert names(tmp_path) == ["adapter"]


def test_sweeping_clears_what_killed_writers_left(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / ".adapter.0123abcd.tmp").mkdir()
    (tmp_path / "train" / ".adapter.0123abcd.tmp" / "half").write_text("x")
    (tmp_path / ".report.json.0123abcd.tmp").write_text("x")
    (tmp_path / "train" / "notes.tmp").write_text("the user's own")
    atomic.sweep(tmp_path)
    assert names(tmp_path) == ["train"]
    assert names(tmp_path / "train") == ["notes.tmp"]


def test_sweeping_gives_a_folder_caught_between_two_renames_its_name_back(tmp_path: Path) -> None:
    (tmp_path / ".adapter.0123abcd.old.tmp").mkdir()
    (tmp_path / ".adapter.0123abcd.old.tmp" / "weights").write_text("old")
    (tmp_path / ".adapter.0123abcd.tmp").mkdir()
    atomic.sweep(tmp_path)
    assert names(tmp_path) == ["adapter"]
    assert (tmp_path / "adapter" / "weights").read_text() == "old"


def test_sweeping_drops_the_old_folder_once_the_new_one_is_in_place(tmp_path: Path) -> None:
    (tmp_path / ".adapter.0123abcd.old.tmp").mkdir()
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "weights").write_text("new")
    atomic.sweep(tmp_path)
    assert names(tmp_path) == ["adapter"]
    assert (tmp_path / "adapter" / "weights").read_text() == "new"


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_files_digest_is_that_of_its_bytes(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "a").write_bytes(content)
    assert atomic.sha256_file(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_the_digest_of_a_missing_file_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        atomic.sha256_file(tmp_path / "a")


class Point(BaseModel):
    x: int


def test_a_record_is_read_from_json(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"x": 3}')
    assert atomic.read_json(tmp_path / "p.json", Point, hint="") == Point(x=3)


@pytest.mark.parametrize("content", [b"", b"{", b'{"x": "a"}', b"\xff", b"[" * 100_000])
def test_a_damaged_record_is_one_line_with_path_and_mend(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        atomic.read_json(path, Point, hint="make it again")
    assert str(caught.value).startswith(f"{path}: damaged")
    assert "\n" not in str(caught.value)
    assert caught.value.hint == "make it again"
