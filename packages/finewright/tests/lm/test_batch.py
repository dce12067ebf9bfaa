"""Rows end to end, common prompts once: every row's tokens and scores are still its own."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from finewright.lm.batch import PackedBatch, Segment, pack, pack_groups
from finewright.lm.example import EncodedRow, length_of_shared

pytestmark = pytest.mark.torch

PROMPT = (11, 12, 13)


def asked(prompt: tuple[int, ...], *answer: int) -> EncodedRow:
    """A prompt that is read and an answer that is learned."""
    return EncodedRow(prompt + answer, (False,) * len(prompt) + (True,) * len(answer))


def seen_by(packed: PackedBatch, segment: Segment) -> list[int]:
    """Positions that the last token of a segment sees, in order."""
    before = range(segment.prefix_start, segment.prefix_start + segment.prefix_length)
    return [*before, *range(segment.start, segment.start + segment.length)]


def test_rows_are_packed_end_to_end_and_scored_from_the_position_before() -> None:
    rows = [
        EncodedRow((11, 12, 13), (False, False, True)),
        EncodedRow((21,), (True,)),
        EncodedRow((31, 32, 33, 34), (True, True, False, True)),
    ]
    packed = pack(rows)
    assert packed.input_ids.tolist() == [[11, 12, 13, 21, 31, 32, 33, 34]]
    assert packed.position_ids.tolist() == [[0, 1, 2, 0, 0, 1, 2, 3]]
    assert packed.segments == (Segment(0, 3), Segment(3, 1), Segment(4, 4))
    assert packed.sources.tolist() == [1, 4, 6]
    assert packed.targets.tolist() == [13, 32, 34]
    assert packed.sequence_of.tolist() == [0, 2, 2]
    assert (packed.num_tokens, packed.num_trained) == (8, 3)
    assert [row.num_trained for row in rows] == [1, 0, 2]


def test_a_prompt_that_a_group_shares_is_there_once() -> None:
    packed = pack_groups([[asked(PROMPT, 21, 22), asked(PROMPT, 31)], [asked((41,), 42)]])
    assert packed.input_ids.tolist() == [[11, 12, 13, 21, 22, 31, 41, 42]]
    assert packed.position_ids.tolist() == [[0, 1, 2, 3, 4, 3, 0, 1]]
    assert packed.segments == (
        Segment(0, 3),
        Segment(3, 2, 0, 3),
        Segment(5, 1, 0, 3),
        Segment(6, 2),
    )
    assert packed.sources.tolist() == [2, 3, 2, 6]
    assert packed.targets.tolist() == [21, 22, 31, 42]
    assert packed.sequence_of.tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize(
    ("rows", "length"),
    [
        ([asked(PROMPT, 1)], 0),
        ([asked(PROMPT, 1), asked(PROMPT, 2)], 3),
        ([asked(PROMPT, 1, 2), asked(PROMPT, 1, 3)], 3),  # alike, but learned
        ([asked(PROMPT), asked((*PROMPT, 14))], 2),  # one token of each is left
        ([asked((11, 12), 1), asked(PROMPT, 1)], 2),
        ([asked((10, 12), 1), asked((11, 12), 1)], 0),
        ([asked((11,)), asked((11,))], 0),
        ([asked((), 7, 8), asked((), 7, 9)], 1),  # the first token is never scored
    ],
)
def test_only_a_common_start_that_is_not_learned_is_shared(
    rows: list[EncodedRow], length: int
) -> None:
    assert length_of_shared(rows) == length


ROW = st.tuples(
    st.integers(0, 4), st.lists(st.tuples(st.integers(5, 7), st.booleans()), max_size=6)
)
GROUP = st.tuples(st.lists(st.integers(5, 7), max_size=5), st.lists(ROW, min_size=1, max_size=4))


@given(st.lists(GROUP, max_size=4))
def test_what_a_row_sees_and_learns_does_not_depend_on_sharing(
    drawn: list[tuple[list[int], list[tuple[int, list[tuple[int, bool]]]]]],
) -> None:
    groups = [
        [
            EncodedRow(
                (*prompt, first, *(t for t, _ in rest)),
                (False,) * len(prompt) + (True, *(learned for _, learned in rest)),
            )
            for first, rest in rows
        ]
        for prompt, rows in drawn
    ]
    rows = [row for group in groups for row in group]
    shared, plain = pack_groups(groups), pack(rows)

    assert shared.num_tokens <= plain.num_tokens
    assert torch.equal(shared.targets, plain.targets)
    assert torch.equal(shared.sequence_of, plain.sequence_of)
    ids, positions = shared.input_ids[0], shared.position_ids[0]
    own = [s for s in shared.segments if s.prefix_length or not _is_prefix(shared, s)]
    assert len(own) == len(rows)
    for row, segment in zip(rows, own, strict=True):
        seen = seen_by(shared, segment)
        assert tuple(ids[seen].tolist()) == row.input_ids
        assert positions[seen].tolist() == list(range(len(row.input_ids)))
    for source, target, number in zip(
        shared.sources.tolist(), shared.targets.tolist(), shared.sequence_of.tolist(), strict=True
    ):
        seen = seen_by(shared, own[number])
        assert rows[number].input_ids[seen.index(source) + 1] == target


def _is_prefix(packed: PackedBatch, segment: Segment) -> bool:
    return any(s.prefix_length and s.prefix_start == segment.start for s in packed.segments)
