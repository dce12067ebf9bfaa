"""A page is a new file or replaces one of ours: nothing else is ever written over."""

from pathlib import Path

import pytest

from finewright.errors import DataError
from finewright.workbench.pages import check_page

OURS = "<!DOCTYPE html>\n<!-- A page about a decision, made by finewright. -->\n<html></html>"


def test_a_new_file_and_a_page_of_ours_may_be_written(tmp_path: Path) -> None:
    check_page(None, [])
    check_page(tmp_path / "new.html", [])
    (tmp_path / "old.html").write_text(OURS)
    check_page(tmp_path / "old.html", [tmp_path / "spec.yaml"])


@pytest.mark.parametrize("content", ["name: a\n", "<!DOCTYPE html>\n<html>mine</html>", ""])
def test_any_other_file_stays(tmp_path: Path, content: str) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text(content)
    with pytest.raises(DataError, match=r"mine\.html: already there"):
        check_page(mine, [])
    assert mine.read_text() == content


def test_what_is_read_is_never_written_to(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("name: a\n")
    link = tmp_path / "link.html"
    link.symlink_to(spec)
    for path in (spec, tmp_path / "." / "spec.yaml", link):
        with pytest.raises(DataError, match="which is read and never written to"):
            check_page(path, [spec])


def test_a_folder_and_a_place_that_is_not_there_are_one_line(tmp_path: Path) -> None:
    for folder in (tmp_path, Path(), Path("/")):
        with pytest.raises(DataError, match="is a folder, and a page is a file"):
            check_page(folder, [])
    with pytest.raises(DataError, match="there is no folder"):
        check_page(tmp_path / "none" / "page.html", [])


def test_a_place_in_a_run_is_left_to_its_stages(tmp_path: Path) -> None:
    for name in ("manifest.json", "spec.lock.yaml"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match="which only its stages write to"):
        check_page(tmp_path / "page.html", [])
