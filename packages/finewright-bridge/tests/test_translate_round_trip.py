"""The import of an export is the same spec: for each example of ours and each peer, but for keys that the
export names as left out."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from finewright.errors import SpecError
from finewright.schema.load import LoadedSpec, load_spec
from finewright_bridge.translate.inward import import_config
from finewright_bridge.translate.outward import Exported, export_config
from finewright_bridge.translate.tables import PEERS, PeerName, peer

EXAMPLES = Path(__file__).parents[3] / "examples"
NAMES = (
    "sft",
    "dpo",
    "orpo",
    "simpo",
    "kto",
    "reward",
    "ppo",
    "grpo",
    "qlora",
    "dora",
    "tune",
    "private",
)
WRITTEN = {
    "axolotl": {
        "sft",
        "dpo",
        "orpo",
        "simpo",
        "grpo",
        "qlora",
        "dora",
        "tune",
        "private",
    },
}
"""Examples that go out and come back, where all that the peer has no method for is left aside."""


@pytest.mark.parametrize("to", [name for name in PEERS if name != "torchtune"])
def test_the_import_of_an_export_is_the_same_spec(to: PeerName, tmp_path: Path) -> None:
    went = set()
    for name in NAMES:
        source = EXAMPLES / f"{name}.yaml"
        loaded = load_spec(source)
        if loaded.spec.train.method not in peer(to).methods:
            continue
        folder = tmp_path / name
        folder.mkdir()
        config = folder / f"there.{'json' if peer(to).is_json else 'yaml'}"
        try:
            left = refused(loaded, to, tmp_path)
            if "train.rewards" in left:
                continue  # which no method of rewards can do without
            report = export_config(source, to, config, (), left)
        except SpecError as error:
            assert "data.sources" in str(error)  # noqa: PT017 - rows of a kind that the peer does not read
            assert not list(folder.iterdir())
            continue
        back = folder / "back.yaml"
        import_config(config, back, named=None if to != "together" else to, method="", without=())
        lost = {key.key for key in report.keys if key.fate == "without"}
        expected = {k: v for k, v in values(loaded).items() if k not in lost}
        found = {k: v for k, v in values(load_spec(back)).items() if k in expected}
        for each in (expected, found):
            if steps := each.get("train.max_steps"):  # a tool that counts warm-up in steps
                each["train.warmup_ratio"] = math.ceil(each["train.warmup_ratio"] * steps)
        assert found == expected
        went.add(name)
    assert went >= WRITTEN.get(to, set())
    assert went or to == "litgpt"


def refused(loaded: LoadedSpec, to: PeerName, folder: Path) -> list[str]:
    exported = Exported(loaded, peer(to), folder / "x.yaml")
    return [key.key for key in exported.fates(()) if key.fate == "refused"]


def values(loaded: LoadedSpec) -> Mapping[str, Any]:
    """Every key of a spec's training and split, and the files that its rows are in."""
    spec = loaded.spec
    found = {f"train.{k}": v for k, v in spec.train.model_dump().items() if k != "adapter"}
    found |= {f"train.adapter.{k}": v for k, v in spec.train.adapter.model_dump().items()}
    if spec.train.learning_rate is None:
        del found["train.learning_rate"]  # chosen by the model's size, and written out
    for reward in found.get("train.rewards", ()):
        del reward["consent"]  # to code is this user's own, and no config's
    found["data.eval_fraction"] = spec.data.eval_fraction
    found["sources"] = [loaded.resolve(source.path).resolve() for source in spec.data.sources]
    return found
