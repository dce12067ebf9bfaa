"""A search says that no document has this where the evidence is that of questions on other things."""

import random

import pytest

from finewright_rag.search.calibration import (
    Calibration,
    calibrate,
    json_of_tuning,
    restore_tuning,
    with_tuned,
)
from finewright_rag.search.coverage import PassageEvidence
from finewright_rag.stores.index import FORMAT, About

ABOUT = About(FORMAT, "wordllama@1", 256, 1200, {"lexical": 1.0, "dense": 0.0})
ALIKE = {"lexical": 1.0, "dense": 1.0}
LINE = Calibration(-10.0, 20.0, 5.0, 0.5, 0.05, 0.975, 200, ("ab", "cd"))


def drawn(cosine: float, coverage: float, n: int, seed: int) -> list[PassageEvidence]:
    rng = random.Random(seed)  # noqa: S311 - no secret
    return [PassageEvidence(rng.gauss(cosine, 0.08), rng.gauss(coverage, 0.08)) for _ in range(n)]


def share(line: Calibration, evidence: list[PassageEvidence]) -> float:
    return sum(not line.has_answer(each) for each in evidence) / len(evidence)


def test_on_fresh_questions_of_both_kinds_the_shares_are_as_stated():
    line = calibrate(drawn(0.6, 0.5, 400, 1), drawn(0.2, 0.2, 80, 2))
    assert line.refused <= 0.05
    assert share(line, drawn(0.6, 0.5, 4000, 3)) <= 0.07
    assert share(line, drawn(0.2, 0.2, 4000, 4)) >= 0.93


def test_kinds_that_overlap_refuse_no_more_of_the_answerable():
    line = calibrate(drawn(0.4, 0.3, 400, 1), drawn(0.35, 0.28, 80, 2))
    assert line.refused == pytest.approx(0.05)
    assert line.caught < 0.5


def test_more_evidence_never_speaks_against_an_answer():
    # Foreign questions with more coverage than the answerable: the slope is left out, not turned round.
    line = calibrate(drawn(0.6, 0.2, 400, 1), drawn(0.2, 0.5, 80, 2))
    assert line.cosine > 0
    assert line.coverage == 0.0


def test_without_vectors_the_words_decide():
    answerable = [PassageEvidence(None, 0.5 + i / 1000) for i in range(100)]
    foreign = [PassageEvidence(None, i / 1000) for i in range(80)]
    line = calibrate(answerable, foreign)
    assert line.cosine == 0.0
    assert line.has_answer(PassageEvidence(None, 0.55))
    assert not line.has_answer(PassageEvidence(None, 0.01))


def test_what_is_kept_comes_back():
    about = with_tuned(ABOUT, json_of_tuning(ALIKE, LINE))
    assert (about.other_weights, about.calibration) == (ALIKE, LINE)
    assert about == restore_tuning(ABOUT, ABOUT.weights, ALIKE, LINE)


@pytest.mark.parametrize("kept", [None, "", json_of_tuning(None, None), '{"version": 99, "x": 1}'])
def test_an_index_of_an_earlier_or_later_version_is_not_calibrated(kept: str | None):
    about = with_tuned(ABOUT, kept)
    assert about.calibration is None
    assert about.other_weights is None
