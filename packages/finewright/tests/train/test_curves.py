"""The curves of a run: what is read, that it is drawn alike each time, and the line of text."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from finewright.train.curves import buckets, draw, read_curves, write_curves


def line(step: int, **metrics: float) -> dict[str, Any]:
    loss, rate = 2 / (1 + step / 100), 1e-4 / step
    common = {"grad_norm": 1.0, "tokens": 9, "trained_tokens": 5, "seconds": 0.1}
    return {"step": step, "loss": loss, "learning_rate": rate, **common, "metrics": metrics}


def text_of(*lines: dict[str, Any]) -> str:
    return "".join(json.dumps(one) + "\n" for one in lines)


def many(number: int) -> str:
    return text_of(
        *(
            line(step, kl=math.sin(step), **{"eval_loss": 1 / step} if step % 10 == 0 else {})
            for step in range(1, number + 1)
        )
    )


def test_what_every_run_has_comes_first_and_then_the_methods_metrics() -> None:
    text = text_of(line(1, reward=0.5, kl=0.1), line(2, reward=0.6, kl=0.2, eval_loss=1.5))
    curves = read_curves(text)
    names = ["loss", "eval_loss", "learning_rate", "grad_norm", "kl", "reward"]
    assert [curve.name for curve in curves] == names
    assert curves[1] == ("eval_loss", [2], [1.5], 0)
    assert curves[5] == ("reward", [1, 2], [0.5, 0.6], 0)


def test_what_is_not_finite_is_counted_and_not_drawn() -> None:
    curves = read_curves(text_of(line(1, kl=math.nan), line(2, kl=math.inf), line(3, kl=0.5)))
    assert curves[-1] == ("kl", [3], [0.5], 2)
    assert "KL to the base (nats) (2 not finite)" in texts_in(draw(curves).svg)


def test_a_line_that_was_cut_while_written_is_left_out() -> None:
    curves = read_curves(text_of(line(1)) + json.dumps(line(2))[:-9])
    assert curves[0].steps == [1]


def texts_in(svg: bytes) -> set[str]:
    root = ET.fromstring(svg)  # noqa: S314 - we drew it
    return {"".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")}


@pytest.mark.parametrize("number", [1, 2, 150, 10_000])
def test_a_run_of_any_length_is_drawn_beside_its_metrics(tmp_path: Path, number: int) -> None:
    (tmp_path / "metrics.jsonl").write_text(many(number))
    svg, png = write_curves(tmp_path)
    assert (svg.name, png.name) == ("curves.svg", "curves.png")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert {"training loss", "learning rate", "KL to the base (nats)", "step"} <= texts_in(
        svg.read_bytes()
    )
    assert svg.stat().st_size < 200_000
    assert f"{number:,}" in texts_in(svg.read_bytes()) or number == 150


def test_a_run_without_a_step_has_no_picture(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("")
    assert write_curves(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_the_same_metrics_give_the_same_bytes_in_any_process_and_style(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(many(40))
    (tmp_path / "matplotlibrc").write_text("lines.color: red\nfont.size: 30\nbackend: tkagg\n")
    code = (
        "import sys; from pathlib import Path; from finewright.train.curves import write_curves;"
        "write_curves(Path('.')); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
    drawn = draw(read_curves(many(40)))
    assert (tmp_path / "curves.svg").read_bytes() == drawn.svg
    assert (tmp_path / "curves.png").read_bytes() == drawn.png
    assert b"dc:date" not in drawn.svg


def test_matplotlib_is_imported_only_to_draw() -> None:
    code = (
        "import sys; from finewright.train.curves import read_curves;"
        "print({'matplotlib', 'numpy', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_buckets_keep_the_extremes() -> None:
    values = [5.0 if step == 777 else 1.0 for step in range(1, 1001)]
    (curve, *_) = read_curves(text_of(*({**line(i + 1), "loss": v} for i, v in enumerate(values))))
    found = buckets(curve, 300)
    assert len(found) == 300
    assert max(bucket.high for bucket in found) == 5.0
    assert {bucket.low for bucket in found} == {1.0}
    assert (found[0].step, found[-1].step) == (2, 998.5)
