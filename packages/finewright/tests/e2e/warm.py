"""What most commands import, compile and cache, done once in the process that they are forked from."""

import contextlib
import gc
import io
import os
import sys
import tempfile
from pathlib import Path

from pydantic import BaseModel
from transformers import AutoModelForCausalLM

import tiny
from finewright.cli.main import main
from finewright.train.curves import MetricCurve, draw

SPEC = """\
name: warm
base_models: [./base]
data: {sources: [{path: rows.jsonl, license: CC0-1.0, owner: us}], eval_fraction: 0.5}
"""
ROW = '{"prompt": "the red %d", "completion": "answer red"}\n'


def _draw() -> None:
    draw([MetricCurve("loss", [1, 2], [0.5, 0.4], 0)])


def _run() -> None:
    """What imports, patterns and lists a command needs; nothing that learns, for threads outlive no fork."""
    before, arguments = Path.cwd(), sys.argv
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        os.chdir(folder)
        tiny.tiny_model("llama").save_pretrained("base")
        tiny.tiny_tokenizer().save_pretrained("base")
        AutoModelForCausalLM.from_pretrained("base")
        Path("spec.yaml").write_text(SPEC)
        Path("rows.jsonl").write_text("".join(ROW % number for number in range(4)))
        for command in ("plan spec.yaml", "data personal rows.jsonl", "data report rows.jsonl"):
            sys.argv = ["finewright", *command.split(), "--json"]
            with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
                main()
        os.chdir(before)
    sys.argv = arguments


def _complete(model: type[BaseModel]) -> None:
    """Models whose fields name later classes are completed when they are first used: so in each process."""
    for each in model.__subclasses__():
        if not each.__pydantic_complete__:
            each.model_rebuild(raise_errors=False)
        _complete(each)


_draw()
_run()
_complete(BaseModel)
vars(os)["fsync"] = os.fstat  # nobody cuts the power, and a disk takes milliseconds each time
gc.collect()
gc.freeze()  # or each process would look at, and so copy, all that is loaded
