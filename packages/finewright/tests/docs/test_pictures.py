"""The pictures of the README are of one run, whose figures the README says."""

import re
from html import unescape
from pathlib import Path

ROOT = Path(__file__).parents[4]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PICTURES = sorted((ROOT / "docs/pictures").glob("*.svg"))


def text(path: Path) -> list[str]:
    """The texts of a picture, from top to bottom."""
    return [unescape(each) for each in re.findall(r"<text [^>]*>([^<]*)<", path.read_text())]


def test_the_light_and_the_dark_picture_show_the_same_and_the_readme_has_both() -> None:
    dark, light = PICTURES
    assert text(dark) == text(light)
    assert dark.read_text() != light.read_text()
    assert all(f"docs/pictures/{path.name}" in README for path in PICTURES)


def test_a_wrong_answer_is_turned_right_and_the_figures_are_those_of_the_readme() -> None:
    lines = text(PICTURES[0])
    answers = {name: line.split()[-1] for line in lines for name in ("bag of words", "tuned", "expected")
               if line.startswith(f"    {name} ")}  # fmt: skip
    assert answers["tuned"] == answers["expected"] != answers["bag of words"]
    (accuracy,) = (line for line in lines if re.match(r"label_accuracy +\d", line))
    for value, interval in re.findall(r"([\d.]+) % (\([\d-]+\))", accuracy):
        assert f"| {value} {interval} |" in README
