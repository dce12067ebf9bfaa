"""Every key of every peer with values that it cannot have: said, and never a traceback."""

from pathlib import Path
from typing import Any

import pytest

from finewright.errors import SpecError
from finewright_bridge.translate.inward import Imported, check_draft, refuse_keys, spec_text
from finewright_bridge.translate.read import Config
from finewright_bridge.translate.tables import PEERS, PeerName, peer

ODD: tuple[Any, ...] = (
    None,
    "",
    "x",
    "a b",
    -1,
    1.5,
    1e400,
    True,
    [],
    [1],
    [None],
    [{}],
    {},
    {"a": 1},
)
OUT = Path("ours.yaml")


@pytest.mark.parametrize("name", PEERS)
def test_no_value_of_a_key_ends_in_a_traceback(name: PeerName) -> None:
    table = peer(name)
    # Each key has a third of the values, which takes a second or two a peer.
    for number, key in enumerate([*table.keys, *table.sources]):
        for odd, value in list(enumerate(ODD))[number % 3 :: 3]:
            config = Config(Path("theirs.yaml"), name, {key: value}, {})
            try:
                imported = Imported(config, table.methods[0], ())
                refuse_keys(imported)
                text = spec_text(imported, OUT)
                if (number + odd) % 15 == 0:  # the spec's own check takes most of the time
                    check_draft(text, OUT, imported)
            except SpecError as error:
                assert str(error).startswith("theirs.yaml"), (key, value, str(error))  # noqa: PT017 - of many


@pytest.mark.parametrize("name", PEERS)
def test_every_key_of_a_table_leads_to_a_key_of_ours(name: PeerName) -> None:
    ours = {"name", "base_models", "train", "data"}
    for rule in peer(name).keys.values():
        assert {key.partition(".")[0] for key in rule.targets()} <= ours
