"""The first loss of public configs of TRL and LitGPT, by finewright and by the framework on the same rows.

    python benchmarks/first_losses.py --model FOLDER --bars
    FINEWRIGHT_LITGPT_PYTHON=... python benchmarks/first_losses.py --peers trl litgpt --bars

Each config of `peer_configs` is imported; its data set and model, which are not here, become a few made-up
rows and `--model`. All else stays as the file has it: rates, rank, layers, dropout, batches, schedule; where
a file trains all weights, a LoRA adapter is trained. Two steps in float32 are taken by finewright and by the
framework, each by the config that it gets; B of an adapter begins at zero, so the first loss is the base's
on the first batch, and shows that rows, order, mask and mean are the same."""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from bars import Bar, finish, parser_of
from finewright.errors import FinewrightError
from finewright.schema.load import load_spec
from finewright.workbench.up import up
from finewright_bridge.translate.inward import import_config
from finewright_bridge.translate.tables import PeerName

_CONFIGS = Path(__file__).parent / "peer_configs"
_PEERS: tuple[PeerName, ...] = ("trl", "litgpt")
_FAR = 1e-2
"""Losses that differ by less are the same but for rounding."""
_WORDS = ("red", "blue", "green", "white", "black")
_ROWS = 160


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--peers", nargs="+", choices=_PEERS, default=["trl"])
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="only configs whose name holds this")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        bars = [
            bar
            for peer in options.peers
            for config in sorted((_CONFIGS / peer).glob("*.yaml"))
            if options.only in config.name
            for bar in compare(peer, config, Path(place), options)
        ]
    return finish(bars, options)


def compare(
    peer: PeerName, config: Path, place: Path, options: argparse.Namespace
) -> Iterator[Bar]:
    """The distance of both first losses."""
    folder = place / f"{peer}-{config.stem}"
    folder.mkdir()
    try:
        ours, theirs = (
            first_loss(peer, config, folder, backend, options) for backend in ("finewright", peer)
        )
    except FinewrightError as error:
        print(f"{config}: {error}", file=sys.stderr)
        yield Bar("no first loss", 1, 0, at_most=True, on=f"{peer}, {config.name}")
        return
    on = f"{peer}, {config.name}: {ours:.4f} and {theirs:.4f}"
    yield Bar("first losses differ by", abs(ours - theirs), _FAR, at_most=True, on=on)


def first_loss(
    peer: PeerName, config: Path, folder: Path, backend: str, options: argparse.Namespace
) -> float:
    """Of one step of the imported config on made-up rows."""
    spec = folder / "imported.yaml"
    if not spec.exists():
        import_config(config, spec, named=peer, method="", without=())
    tree = yaml.safe_load(spec.read_text(encoding="utf-8"))
    method = tree["train"]["method"]
    rows = folder / "rows.jsonl"
    rows.write_text("".join(json.dumps(row_of(method, i)) + "\n" for i in range(_ROWS)))
    model = Path(options.model)
    tree["base_models"] = [str(model.resolve()) if model.is_dir() else options.model]
    tree["data"] = {"sources": [{"path": "rows.jsonl"}]}
    if tree["train"].get("adapter", {}).get("type") == "none":
        tree["train"]["adapter"] = {"type": "lora"}
    tree["train"] |= {
        "backend": backend,
        "dtype": "fp32",
        "threads": options.threads,
        "max_steps": 2,
        "prove_elsewhere": False,
    }
    tree["train"].pop("eval_steps", None)  # no rows are held out
    path = folder / f"{backend}.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    report = up(load_spec(path), folder / "runs", on_event=lambda *_: None, through="train")
    assert report.train is not None
    loss = report.train.candidates[0].first_loss
    assert loss is not None
    return loss


def row_of(method: str, number: int) -> dict[str, object]:
    """A conversation or a pair about a colour, of another length than its neighbours."""
    word, other = _WORDS[number % 5], _WORDS[(number + 1) % 5]
    question = {"role": "user", "content": f"Which colour has number {number}?" * (1 + number % 3)}
    chosen = {"role": "assistant", "content": f"It is {word}."}
    if method == "sft":
        return {"messages": [question, chosen]}
    rejected = {"role": "assistant", "content": f"It may be {other}, or not."}
    return {"prompt": [question], "chosen": [chosen], "rejected": [rejected]}


if __name__ == "__main__":
    sys.exit(main())
