"""Facts of the bank's articles as questions, held out by product."""

import gzip
import json

import pytest

from finewright.conformance.packages import make_fetched, make_packaged_set, rows_of
from finewright.conformance.set import SetConformance
from finewright.data.sets.bank_facts import content, product_of
from finewright.data.sets.build import Fetched

PATH = "inspect_evals/tau2/data/domains/banking_knowledge/documents.json.gz"


def package(**texts: str) -> Fetched:
    articles = [{"id": f"doc_{id}", "title": id, "content": text} for id, text in texts.items()]
    files = {PATH: gzip.compress(json.dumps(articles).encode())}
    return make_fetched(files)


def built(**texts: str):
    return content([package(**texts)], make_packaged_set()).rows


class TestBankFacts(SetConformance):
    name = "bank-facts"

    @pytest.fixture
    def fetched(self) -> list[Fetched]:
        return [package(credit_cards_ecocard_001="- Annual fee: $75.00")]


def asked(rows) -> dict[str, str]:
    both = [*rows_of(rows, "train"), *rows_of(rows, "test")]
    return {row["prompt"]: row["completion"] for row in both}


def test_a_line_and_a_row_of_a_table_are_facts_in_the_articles_own_words():
    rows = built(
        credit_cards_ecocard_001="- Annual fee: $75.00\n- **Late payment fee:** $30 per month.",
        savings_accounts_gold_account_001="| Item | Details |\n| --- | --- |\n| Base APY | 5.5% |",
    )
    assert sorted(asked(rows).values()) == ["$30", "$75.00", "5.5%"]
    assert [p for p in asked(rows) if "the base APY" in p and "Gold Account" in p]


@pytest.mark.parametrize(
    "line",
    [
        "- Annual fee: $20 or more, by contract",
        "- Annual fee: $150 days",  # a slip of the source
        "- Gold Rewards Card: +0.35%",
        "- Your bonus limit: $20",
        "- Step: 3",
    ],
)
def test_what_is_no_single_value_of_a_fee_or_limit_is_not_asked_and_counted(line):
    rows = built(credit_cards_ecocard_001=line)
    assert asked(rows) == {}
    assert sum(rows.dropped.values()) == 1


def test_a_fact_with_two_values_is_left_out():
    rows = built(
        credit_cards_ecocard_001="- Annual fee: $75.00",
        credit_cards_ecocard_002="- Annual fee: $80.00",
    )
    assert asked(rows) == {}
    assert rows.dropped == {"fact with two values": 1}


def test_gold_are_all_articles_of_the_product_that_state_the_fact():
    rows = built(
        credit_cards_ecocard_001="- Annual fee: $75.00",
        credit_cards_ecocard_002="You pay an annual fee of $75.00 in January.",
        credit_cards_ecocard_003="The reward of a year is $75.00.",
        credit_cards_ecocard_004="An annual fee of $175.00 is charged by others.",
        credit_cards_gold_card_001="The annual fee is $75.00.",
    )
    (row,) = rows_of(rows, "train")
    assert row["gold"] == ["doc_credit_cards_ecocard_001", "doc_credit_cards_ecocard_002"]


def test_no_product_is_on_both_sides():
    texts = {
        f"savings_accounts_{name}_account_001": "- Monthly fee: $1.00\n- Withdrawal limit: 9"
        for name in ("gold", "silver", "bronze", "green", "blue", "red", "grey", "pink")
    }
    rows = built(**texts)
    train, test = rows_of(rows, "train"), rows_of(rows, "test")
    assert (len(train), len(test)) == (12, 4)
    assert {r["product"] for r in train}.isdisjoint({r["product"] for r in test})
    assert rows_of(rows, "documents")[0]["text"].startswith("# savings_accounts_gold_account_001\n")


@pytest.mark.parametrize(
    ("article", "product"),
    [
        ("doc_business_credit_cards_business_gold_rewards_card_001", "Business Gold Rewards Card"),
        ("doc_checking_accounts_green_account_(checking)_004", "Green Account (checking)"),
        ("doc_business_checking_accounts_beige_012", "Beige business checking account"),
        ("doc_buy_now_pay_later_bnpl_gold_002", "BNPL Gold"),
        ("doc_bank_accounts_bank_accounts_(general)_001", ""),
        ("doc_credit_cards_virtual_card_management_002", ""),
    ],
)
def test_the_product_is_told_by_the_articles_id(article, product):
    assert product_of(article) == product
