"""Whatever is found can be redacted, replaced and dropped, and what replaces it is of its kind."""

import random
import re
from typing import get_args

import pytest
from tests.guard.privacy.rows import row_of
from tests.guard.privacy.values import VALUES

from finewright.data.privacy import apply
from finewright.guard.privacy.find import find
from finewright.schema.privacy import PersonalDataSpec, PersonalType, SecretsSpec

KEY = b"k" * 32
OF_TYPE = {
    type_: [v for v in VALUES.values() if v.type == type_] for type_ in get_args(PersonalType)
}
OFF = SecretsSpec(action="off")
ROUNDS = {"report": 1000, "pseudonymise": 250, "redact": 50, "drop": 50}
"""All are found by the same code, however they are treated; what is drawn anew is drawn often."""
LEAST_OF_A_KIND = 2


def _draws(type_: PersonalType, rounds: int) -> list[str]:
    """Texts with values of every country in turn, `«` and `»` around each."""
    draw = random.Random(20)  # noqa: S311
    kinds = OF_TYPE[type_]
    each = max(-(-rounds // len(kinds)), LEAST_OF_A_KIND)
    return [
        kind.carrier.replace("{}", f"«{kind.value(draw)}»") for kind in kinds for _ in range(each)
    ]


@pytest.mark.parametrize("type_", [t for t in OF_TYPE if OF_TYPE[t]])
@pytest.mark.parametrize("action", ROUNDS)
def test_values_of_each_type_and_country_round_trip(type_: PersonalType, action: str) -> None:
    marked = _draws(type_, ROUNDS[action])
    texts = [text.replace("«", "").replace("»", "") for text in marked]
    rows = [row_of(text, "ok", number=i) for i, text in enumerate(texts)]
    spec = PersonalDataSpec.model_validate({"action": action, "types": [type_]})
    outcome, report = apply(rows, spec, OFF, KEY)
    places = {(f.row, f.start, f.end) for f in report.findings}
    assert places == {(i, t.index("«"), t.index("»") - 1) for i, t in enumerate(marked)}
    assert len(outcome.dropped) == (len(rows) if action == "drop" else 0)
    for row in outcome.rows:
        before, value, after = re.split("[«»]", marked[row.row])
        text = row.messages[0]["content"]
        assert text.startswith(before)
        assert text.endswith(after)
        new = text[len(before) : len(text) - len(after)]
        if action == "report":
            assert new == value
        elif action == "redact":
            assert new == f"[{type_.upper()}]"
        else:
            assert [text[s.start : s.end] for s in find(text, {type_})] == [new]
            assert new != value or type_ == "name"


def test_no_two_ways_of_writing_a_foreigner_s_number_in_spain_raise() -> None:
    rows = [row_of(f"mi NIE es {value}, gracias") for value in ("X1234567L", "X-1234567-L")]
    spec = PersonalDataSpec(action="pseudonymise", types=("national_id",))
    outcome, report = apply(rows, spec, OFF, KEY)
    first, second = (row.messages[0]["content"] for row in outcome.rows)
    assert first == second.replace("-", "")
    assert report.found["national_id"].values == 1
