"""Requests to a bank: one intent each, or the details that they state. The authors' files come along."""

import json
from pathlib import Path

import pytest

from finewright.conformance.packages import make_fetched, make_packaged_set, rows_of
from finewright.conformance.set import SetConformance
from finewright.data.sets import build
from finewright.data.sets.bank_requests import detail_content, intent_content
from finewright.data.sets.build import Fetched, build_set
from finewright.errors import FetchError

TRAIN = 'text,category\n"My card, \n is late",card_arrival\nWhat is my PIN?,get_pin\n'
TEST = "text,category\nWHAT is my pin?,get_pin\n"


def labelled() -> Fetched:
    return make_fetched({"banking_data/train.csv": TRAIN, "banking_data/test.csv": TEST})


def request(text: str, **slots: str) -> dict[str, object]:
    at = {k: {"text": v, "span": (text.index(v), text.index(v) + len(v))} for k, v in slots.items()}
    return {"text": text, "slots": at} if at else {"text": text}


def folds(**found: list[dict[str, object]]) -> Fetched:
    return make_fetched(
        {f"nlupp/data/banking/{name}.json": json.dumps(r) for name, r in found.items()}
    )


class TestIntents(SetConformance):
    name = "bank-intents"

    @pytest.fixture
    def fetched(self) -> list[Fetched]:
        return [labelled()]


class TestDetails(SetConformance):
    name = "bank-details"

    @pytest.fixture
    def fetched(self) -> list[Fetched]:
        return [
            folds(
                fold0=[request("by May", date="May")], fold19=[request("to Bo", person_name="Bo")]
            )
        ]


def test_a_training_request_that_is_tested_on_is_left_out_and_counted() -> None:
    content = intent_content([labelled()], make_packaged_set()).rows
    (row,) = rows_of(content, "train")
    assert (row["prompt"], row["completion"]) == ("My card, is late", "card_arrival")
    assert [row["prompt"] for row in rows_of(content, "test")] == ["WHAT is my pin?"]
    assert content.dropped == {"training row that is a test row too": 1}


def test_details_stand_in_the_order_of_the_request_word_for_word() -> None:
    asked = request("pay Bo £5 on May 1", date="May 1", amount_of_money="£5", person_name="Bo")
    (row,) = rows_of(detail_content([folds(fold3=[asked])], make_packaged_set()).rows, "train")
    assert row["messages"][1]["content"] == asked["text"]
    assert row["messages"][2]["content"] == (
        '{"person_name": "Bo", "amount_of_money": "£5", "date": "May 1"}'
    )


def test_a_request_of_both_parts_is_tested_on() -> None:
    twice = request("by May", date="May")
    content = detail_content([folds(fold0=[twice], fold16=[twice])], make_packaged_set()).rows
    assert (len(rows_of(content, "train")), len(rows_of(content, "test"))) == (0, 1)


@pytest.mark.parametrize("name", ["bank-intents", "bank-details"])
def test_the_archive_that_comes_along_gives_the_rows_that_are_counted(
    name: str, tmp_path: Path
) -> None:
    report = build_set(name, tmp_path)
    counted = {file: of.rows for file, of in report.provenance.files.items()}
    assert counted == build.data_sets().sets[name].rows
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_bytes().splitlines()]
    if name == "bank-intents":  # the paper says 77 intents
        assert len({line["completion"] for line in lines}) == 77


def test_a_damaged_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bank_requests.zip").write_bytes(b"PK")
    monkeypatch.setattr(build, "files", lambda _: tmp_path)
    with pytest.raises(FetchError, match="is not the file that finewright came with"):
        build_set("bank-intents", tmp_path / "out")
