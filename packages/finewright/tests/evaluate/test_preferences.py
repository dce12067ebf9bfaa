"""Which of two answers a model prefers: by token likelihood, or by a rating of its own."""

import pytest
import torch
from torch import Tensor

import tiny
from compare.measuring import measure
from finewright.compare.local import LoadedModel
from finewright.errors import DataError
from finewright.evaluate.answers import preferences
from finewright.evaluate.measured import RowSet, Settings
from finewright.evaluate.score import PREFERENCE, ScoreOptions
from finewright.lm.batch import PackedBatch
from finewright.lm.chat import Chat
from finewright.lm.encode import encode_example
from finewright.lm.model import LM
from finewright.schema.rows import Row

pytestmark = pytest.mark.torch

OPTIONS = ScoreOptions(confidence=0.9, resamples=100, seed=0)


def pair(number: int, chosen: str, rejected: str) -> Row:
    asked = {"role": "user", "content": f"Q{number}"}
    sides = [(asked, {"role": "assistant", "content": text}) for text in (chosen, rejected)]
    return Row(str(number), sides[0], None, "pairs.jsonl", number + 1, rejected=sides[1])


SIDES = [(f"yes {i} and more", f"{9 - i} no") for i in range(6)]
PAIRS = [pair(i, *(sides if i % 2 else sides[::-1])) for i, sides in enumerate(SIDES)]


@pytest.fixture(scope="module")
def lm() -> LM:
    return LM(tiny.tiny_model("llama"), {})


@pytest.fixture(scope="module")
def chat() -> Chat:
    return tiny.tiny_chat()


def by_transformers(lm: LM, chat: Chat, row: Row) -> list[float]:
    """Mean log p of the learned tokens of both answers, by one plain forward each."""
    found = []
    for sequence in encode_example(chat, row).sequences:
        ids = torch.tensor([sequence.input_ids])
        with torch.no_grad():
            logps = tiny.tiny_model("llama")(input_ids=ids).logits[0].log_softmax(-1)
        learned = [t for t, trained in enumerate(sequence.trained) if trained]
        found.append(
            sum(logps[t - 1, sequence.input_ids[t]].item() for t in learned) / len(learned)
        )
    return found


@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_likelier_answer_by_token_is_preferred(batch_size: int, lm: LM, chat: Chat) -> None:
    truth = [by_transformers(lm, chat, row) for row in PAIRS]
    found = preferences(lm, chat, PAIRS, None, batch_size=batch_size)
    assert found == [float(chosen > rejected) for chosen, rejected in truth]
    assert set(found) == {0.0, 1.0}


def test_a_rating_of_its_own_goes_before(lm: LM, chat: Chat) -> None:
    def rate(model: LM, batch: PackedBatch) -> Tensor:
        return torch.arange(batch.num_sequences, 0, -1)  # the chosen one always higher

    assert preferences(lm, chat, PAIRS, rate, batch_size=4) == [1.0] * 6


def test_answers_rated_alike_count_half(lm: LM, chat: Chat) -> None:
    even = preferences(lm, chat, PAIRS, lambda _, b: torch.zeros(b.num_sequences), batch_size=4)
    assert even == [0.5] * 6


def test_a_row_that_is_no_pair_is_named(lm: LM, chat: Chat) -> None:
    row = Row("x", PAIRS[0].messages, None, "rows.jsonl", 7)
    with pytest.raises(DataError, match=r"rows\.jsonl:7: no preference pair"):
        preferences(lm, chat, [row], None, batch_size=2)


def test_nothing_is_generated_when_only_preferences_are_asked(
    lm: LM, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finewright.compare.local.answer_all", None)
    settings = Settings((PREFERENCE,), max_new_tokens=4, batch_size=2, options=OPTIONS)
    found = measure(LoadedModel("a", lm, chat), RowSet("pairs", PAIRS), settings, lambda *_: None)
    (score,) = found.scored.scores
    assert score.value == sum(preferences(lm, chat, PAIRS, None, batch_size=2)) / 6
    assert score.metric == PREFERENCE
