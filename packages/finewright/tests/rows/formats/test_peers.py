"""Demo files of LLaMA-Factory, Axolotl and TRL, rebuilt: each row is as their own converters make it."""

import pytest

from .peers import PeerFormat, differences, every


@pytest.mark.parametrize("peer", every(), ids=lambda peer: f"{peer.peer}: {peer.name}")
def test_rows_of_a_peer_are_as_its_converter_makes_them_or_the_difference_is_said(
    peer: PeerFormat,
) -> None:
    assert differences(peer) == []


def test_what_trl_makes_is_what_trl_itself_says() -> None:
    data_utils = pytest.importorskip("trl.data_utils")
    rows = {each.name: each.rows[0] for each in every() if each.peer == "TRL"}
    pair = data_utils.extract_prompt(rows["preference, implicit"])
    assert pair == rows["preference"]
    chat = data_utils.maybe_convert_to_chatml(rows["from and value"])
    assert chat["messages"] == rows["language modelling"]["messages"]
