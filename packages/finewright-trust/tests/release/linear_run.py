"""A run whose model is linear and gives labels alone."""

import json
from pathlib import Path

from finewright.schema.load import load_spec
from finewright.workbench.up import up
from tiny_run import nothing

SPEC = """\
name: lin
base_models: [words]
data:
  sources: [{path: train.jsonl, license: CC-BY-4.0}]
evaluate:
  data: [{path: test.jsonl}]
  compare_with: [linear]
train: {method: linear}
"""


def write_rows(path: Path, count: int, first: int) -> None:
    said = {"lost": "my card was lost", "fee": "why was i charged"}
    rows = (
        {"prompt": f"{text} case {first + number}", "completion": label}
        for number in range(count)
        for label, text in said.items()
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def trained(folder: Path, compare_with: str = "linear") -> Path:
    """The run of the spec, which is written into the folder with its rows."""
    write_rows(folder / "train.jsonl", 100, 0)
    write_rows(folder / "test.jsonl", 40, 500)  # fewer cannot show that it is no worse
    (folder / "spec.yaml").write_text(SPEC.replace("[linear]", f"[{compare_with}]"))
    return Path(up(load_spec(folder / "spec.yaml"), folder / "runs", on_event=nothing).summary.run)
