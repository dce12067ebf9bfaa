"""What patches are worth, those that would answer for the exploit among them."""

import json

import pytest

from finewright.sdk import DataError
from finewright_web3.audit.contracts import protocols
from finewright_web3.audit.rows import AuditSettings, build_audits
from finewright_web3.audit.verdict import PatchVerdict, audit_patch, judge_patch

pytestmark = pytest.mark.network  # the compiler is npm's

ROWS = {
    (row["meta"]["protocol"], row["meta"]["exploit"]): row
    for row in build_audits(AuditSettings()).patches_test
}


@pytest.fixture
def rekey() -> dict:
    """A second bootstrap takes the account over."""
    return ROWS["account", "Rekey"]


HEAD = "function bootstrap(address keyHolder_, address guardian_) external {"
BODY = "\n keyHolder = keyHolder_; guardian = guardian_; }"
FIXED = f"{HEAD} require(keyHolder == address(0));{BODY}"


@pytest.mark.parametrize(
    ("patch", "verdict"),
    [
        (FIXED, PatchVerdict(True, True, True)),
        (f"{HEAD} if (guardian != address(0)) revert();{BODY}", PatchVerdict(True, True, True)),
        (HEAD + BODY, PatchVerdict(True, True, False)),
        (f"{HEAD} revert();{BODY}", PatchVerdict(True, False, True)),
        (f"{HEAD} require(msg.sender == tx.origin);{BODY}", PatchVerdict(True, False, True)),
        (f"{HEAD} require(keyholder == address(0));{BODY}", PatchVerdict()),
        (FIXED.replace("bootstrap", "start"), PatchVerdict()),
        (f"{FIXED}\nfunction more() external {{}}", PatchVerdict()),
        (f"{FIXED}\n}}\ncontract Rekey {{", PatchVerdict()),
        ("uint256 keep;", PatchVerdict()),
        ("", PatchVerdict()),
        ("/*", PatchVerdict()),
        ("I cannot help.", PatchVerdict()),
    ],
)
def test_a_patch_compiles_keeps_the_use_and_stops_the_exploit(rekey, patch, verdict):
    assert judge_patch(patch, rekey["check"]) == verdict
    assert audit_patch(patch, rekey["check"]) == verdict.is_good


@pytest.mark.parametrize("key", ROWS, ids="-".join)
def test_the_flawed_function_is_no_patch_of_itself(key):
    protocol, exploit = key
    (flaw,) = (one for one in protocols("held_out")[protocol].flaws if one.exploit == exploit)
    assert not judge_patch(flaw.flawed.code, ROWS[key]["check"]).is_good


@pytest.mark.parametrize("check", ["", "{}", "[1]", json.dumps({"scaffold": "", "use": 1})])
def test_another_column_is_refused_by_what_it_lacks(check):
    with pytest.raises(DataError, match="does not name exploit, scaffold, use"):
        audit_patch(FIXED, check)


@pytest.mark.parametrize("name", ["Nobody", "SmartAccount"])
def test_a_scene_that_the_scaffold_has_not_is_named(rekey, name):
    check = json.dumps(json.loads(rekey["check"]) | {"use": name})
    with pytest.raises(DataError, match=f"no contract '{name}' with a function run"):
        audit_patch(FIXED, check)
