"""The standards: what is kept of a text, which questions are made of it, and what the set holds apart."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from finewright.conformance.packages import make_fetched
from finewright.conformance.set import SetConformance
from finewright.data.sets.build import Fetched, JsonRow, build_set
from finewright.errors import DataError
from finewright.judge.quotes import ABSTENTION as CORE_ABSTENTION
from finewright_web3.standards.questions import make_questions
from finewright_web3.standards.rows import ABSTENTION, StandardsSettings
from finewright_web3.standards.texts import Standard, read_standard, sentences

CC0 = "## Copyright\n\nCopyright and related rights waived via [CC0](../LICENSE.md).\n"
ANSWERED = ("questions_train", "questions_test", "questions_written")


def text_of(number: int, body: str, rights: str = CC0) -> str:
    return f"---\neip: {number}\ntitle: Number {number}\nstatus: Final\n---\n\n{body}\n\n{rights}"


def standard_of(body: str, number: int = 20) -> Standard:
    return read_standard(f"erc-{number}.md", text_of(number, body))


def asked(body: str) -> list[tuple[str, str]]:
    return [(question.bare, question.answer) for question in make_questions([standard_of(body)])]


class TestErcStandards(SetConformance):
    name = "erc-standards"

    @pytest.fixture
    def fetched(self) -> Sequence[Fetched]:
        rule = "## Specification\n\nThe `doIt{0}` function MUST tell the whole world about number {0}.\n"
        numbers = (20, 721, 1363, 3643, 4337)
        return [make_fetched({f"erc-{n}.md": text_of(n, rule.format(n)) for n in numbers})]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[JsonRow]]:
    """The set of the texts that the package carries."""
    folder = tmp_path_factory.mktemp("standards")
    build_set("erc-standards", folder)
    names = ["documents", *ANSWERED, "unanswerable_train", "unanswerable_test"]
    return {name: read_rows(folder / f"{name}.jsonl") for name in names}


def read_rows(path: Path) -> list[JsonRow]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def squashed(text: str) -> str:
    return " ".join(text.split())


def test_a_text_that_does_not_waive_copyright_is_refused():
    for rights in ("", "## Copyright\n\nAll rights reserved.\n"):
        with pytest.raises(DataError, match=r"erc-20.md: does not say that copyright is waived"):
            read_standard("erc-20.md", text_of(20, "## Abstract", rights))


def test_a_text_without_a_number_is_refused():
    with pytest.raises(DataError, match="no front matter"):
        read_standard("erc-20.md", "# ERC-20\n" + CC0)


def test_links_bold_type_and_pictures_are_gone_and_code_stays_as_it_is():
    standard = standard_of(
        "## Abstract\n\nIt **MUST** be [ERC-20](./eip-20.md)\\\ncompatible. ![](../a.svg)\n\n"
        "```solidity\nfunction a(uint[] memory b) // **bold** [c](d)\n```\n"
    )
    assert "It MUST be ERC-20\ncompatible." in standard.text
    assert "a.svg" not in standard.text
    assert "function a(uint[] memory b) // **bold** [c](d)" in standard.text


def test_tests_implementations_and_copyright_are_no_part_of_a_document():
    standard = standard_of(
        "## Abstract\n\nKept.\n\n## Test Cases\n\nGone.\n\n### More\n\nGone too.\n\n"
        "## Rationale\n\nKept as well.\n\n## Reference Implementation\n\nGone.\n"
    )
    assert "Kept.\n\n## Rationale\n\nKept as well." in standard.text
    assert "Gone" not in standard.text
    assert "CC0" not in standard.text


def test_sentences_are_those_of_prose_and_lists_with_their_headings():
    body = (
        "## Rules\n\nOne thing, e.g. This one. Another\nthing.\n\n- An item\n  of two lines\n- `b`\n\n"
        "| a | table |\n|---|---|\n\n```\n# no heading\n```\n\n### Deep\n\nLast.\n"
    )
    found = [(s.text, s.headings, s.is_item) for s in sentences(standard_of(body))]
    assert found[-5:] == [
        ("One thing, e.g. This one.", ("Rules",), False),
        ("Another thing.", ("Rules",), False),
        ("An item of two lines", ("Rules",), True),
        ("`b`", ("Rules",), True),
        ("Last.", ("Rules", "Deep"), False),
    ]


@pytest.mark.parametrize(
    ("body", "question"),
    [
        (
            "The frozen wallet MUST NOT be a party to any transfer.",
            "what must the frozen wallet not be",
        ),
        ("Every bundler SHOULD drop operations that fail.", "what should every bundler do"),
        (
            "#### deposit\n\nMUST emit the `Deposit` event, whoever calls it.",
            "must `deposit` emit the `Deposit` event",
        ),
        (
            "- MUST be able to pause all transfers of tokens",
            "must an implementation be able to pause all transfers of tokens",
        ),
        (
            "Otherwise it MUST revert if the caller is not the owner of it.",
            "what has to happen if the caller is not the owner of it",
        ),
        ("- Bundler - a node that can handle operations of users", "what is meant by bundler"),
        ("- `nonce`: a number that must not be used a second time", "what is `nonce`"),
        (
            "### Fees of it\n\nFees are paid by whoever sends the operation.",
            'what is said of "Fees of it"',
        ),
    ],
)
def test_a_rule_asks_and_its_sentence_answers(body: str, question: str):
    sentence = body.rpartition("\n")[2].removeprefix("- ")
    assert asked(f"## R\n\n{body}") == [(question, sentence)]


@pytest.mark.parametrize(
    "body",
    [
        "## R\n\nIt MUST NOT be a party to any transfer of tokens at all.",
        "## R\n\nEvery bundler SHOULD drop.",
        "## R\n\nEvery contract that is compliant MUST implement the following interface:",
        "## R\n\nNothing is required of anybody in this sentence of the text.",
    ],
)
def test_what_points_back_says_little_or_leads_on_is_not_asked_about(body: str):
    assert asked(body) == []


def test_a_question_with_two_answers_is_of_neither():
    rule = "Every bundler SHOULD drop operations that fail {}."
    assert len(asked(f"## R\n\n{rule.format('early')}\n")) == 1
    assert asked(f"## R\n\n{rule.format('early')}\n\n{rule.format('late')}\n") == []


def test_the_abstention_is_that_of_answers_from_passages():
    assert ABSTENTION == CORE_ABSTENTION


def test_every_answer_stands_in_its_document_word_for_word(rows: dict[str, list[JsonRow]]):
    texts = {row["id"]: squashed(row["text"]) for row in rows["documents"]}
    for name in ANSWERED:
        for row in rows[name]:
            assert squashed(row["completion"]) in texts[row["gold"][0]], row["prompt"]


def test_standards_that_are_tested_on_are_in_no_training_row(rows: dict[str, list[JsonRow]]):
    held_out = {f"erc-{number}" for number in StandardsSettings().held_out}
    assert {"erc-3643", "erc-4337"} <= held_out
    assert not held_out & {row["gold"][0] for row in rows["questions_train"]}
    assert {row["gold"][0] for row in rows["questions_test"]} <= held_out
    assert {row["gold"][0] for row in rows["questions_written"]} <= held_out
    mixed = [row for row in rows["unanswerable_train"] if row["kind"] == "mixed_up"]
    assert not held_out & {row[key] for row in mixed for key in ("put_to", "belongs_to")}


def test_enough_questions_are_written_by_hand_on_both_standards(rows: dict[str, list[JsonRow]]):
    gold = [row["gold"][0] for row in rows["questions_written"]]
    assert len(gold) >= 40
    assert min(gold.count("erc-3643"), gold.count("erc-4337")) >= 20


def test_what_has_no_answer_has_no_document(rows: dict[str, list[JsonRow]]):
    texts = {row["id"]: row["text"] for row in rows["documents"]}
    absent = {f"erc-{number}" for number in StandardsSettings().absent}
    assert not absent & texts.keys()
    for row in (*rows["unanswerable_train"], *rows["unanswerable_test"]):
        assert (row["completion"], row["gold"]) == (ABSTENTION, [])
        if row["kind"] == "mixed_up":
            assert row["put_to"].upper() in row["prompt"]
            assert row["put_to"] != row["belongs_to"]
