"""The auditor's rows: what is asked and answered, and that no protocol is on both sides."""

import json
import re
from collections import Counter

import pytest

from finewright.conformance.set import SetConformance
from finewright_web3.audit.contracts import HOLE, protocols
from finewright_web3.audit.rows import SOUND, AuditSet, AuditSettings, build_audits


class TestSolidityAudit(SetConformance):
    name = "solidity-audit"

    @pytest.fixture
    def fetched(self):
        return []


@pytest.fixture(scope="module")
def built() -> AuditSet:
    return build_audits(AuditSettings())


def question(row) -> str:
    return row["messages"][1]["content"]


def answer(row) -> str:
    return row["messages"][2]["content"]


def test_no_protocol_and_no_contract_name_is_on_both_sides(built):
    sides = [(built.train, built.patches_train), (built.test, built.patches_test)]
    for told in (lambda row: row["meta"]["protocol"], lambda row: question(row).split()[1]):
        seen, held_out = ({told(row) for rows in side for row in rows} for side in sides)
        assert not seen & held_out
    assert {row["meta"]["protocol"] for row in built.train} == protocols("seen").keys()
    assert {row["meta"]["protocol"] for row in built.test} == protocols("held_out").keys()


def test_classes_are_trained_on_alike_and_nothing_is_asked_twice(built):
    counted = Counter(answer(row) for row in built.train)
    assert counted.pop(SOUND) == 300
    assert set(counted.values()) == {100}
    assert len(counted) == 12
    for rows in built:
        assert max(Counter(map(question, rows)).values()) == 1


def test_the_held_out_functions_are_asked_as_they_are_and_with_each_flaw(built):
    asked = Counter((row["meta"]["protocol"], row["class"] == SOUND) for row in built.test)
    for name, protocol in protocols("held_out").items():
        functions = [f for f in protocol.functions if f.name not in {"constructor", "receive"}]
        assert asked[name, True] == len(functions)
        assert asked[name, False] == len(protocol.flaws)
    for row in built.patches_test:
        told = json.loads(row["check"])
        assert told["reference"] == answer(row)
        assert answer(row) in protocols("held_out")[row["meta"]["protocol"]].source.replace(
            "\n    ", "\n"
        )


def test_a_patch_is_another_function_of_the_same_name_and_fits_the_hole(built):
    for row in built.patches_train:
        told = json.loads(row["check"])
        name = re.match(r"function (\w+)", answer(row))[1]
        assert f"function {name}(" in question(row)
        assert re.sub(r"\s", "", answer(row)) not in re.sub(r"\s", "", question(row))
        assert told["scaffold"].count(HOLE) == 1
        assert f"contract {told['contract']} " in told["scaffold"]
        assert f"contract {told['exploit']} " in told["scaffold"]
        assert question(row).endswith(f"Flaw: {row['class']}")


def test_another_seed_gives_other_names_and_the_same_tests():
    one, other = (build_audits(AuditSettings(seed=seed)) for seed in (0, 1))
    assert {question(row) for row in one.train} != {question(row) for row in other.train}
    assert one.test == other.test
