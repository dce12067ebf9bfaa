"""Values taken out of texts, and the places before and after."""

import json

from hypothesis import given
from hypothesis import strategies as st

from finewright.guard.privacy.find import find
from finewright.guard.privacy.replace import json_mapped, redact, replace_spans
from finewright.guard.privacy.scan import PersonalSpan


def test_redacted_values_are_named_by_their_type() -> None:
    text = "Ann: ann@example.org, 203.0.113.9!"
    assert redact(text, {"email", "ip"}) == "Ann: [EMAIL], [IP]!"
    assert redact(text, {"ip"}) == "Ann: ann@example.org, [IP]!"


def test_what_shows_only_behind_another_is_taken_as_well() -> None:
    text = "a@b.io@c.io born 1980-01-02-1981-02-03"
    types = {"email", "date_of_birth", "phone"}
    assert find(redact(text, types), types) == ()


def test_json_is_changed_value_by_value() -> None:
    text = json.dumps(
        {"card": 4111111111111111, "to": ["x\nann@example.org"], "ok": True, "n": None}
    )
    seen = []

    def change(key: str, value: str | float) -> str:
        seen.append(key)
        return redact(str(value))

    assert json.loads(json_mapped("args", text, change) or "") == {
        "card": "[CARD]",
        "to": ["x\n[EMAIL]"],
        "ok": True,
        "n": None,
    }
    assert seen == ["args.card", "args.to[0]"]


def test_json_without_a_find_stays_as_it_is_written_and_text_is_no_json() -> None:
    text = '{"a" :  [1.50, "\\u00e9"]}'
    assert json_mapped("args", text, lambda _, value: value) == text
    assert json_mapped("args", "{broken", lambda _, value: value) is None


def test_what_is_not_changed_stays_as_it_is_written() -> None:
    text = '{"to": "%s", "x":1e400, "n": [{}, 1.50, ["\\u00e9\\""], NaN], "a":1,"a":-2 ,"b\\"":{"c":"}"}}'
    seen = []

    def change(key: str, value: str | float) -> str | float:
        seen.append(key)
        return "[EMAIL]" if value == "ann@example.org" else value

    assert json_mapped("k", text % "ann@example.org", change) == text % "[EMAIL]"
    assert seen == ["k.to", "k.x", "k.n[1]", "k.n[2][0]", "k.a", "k.a", 'k.b".c']


@given(
    st.text(max_size=40),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6), st.text(max_size=8)), max_size=5),
)
def test_places_point_at_the_stand_ins(text: str, cuts: list[tuple[int, int, str]]) -> None:
    spans, stands, last = [], {}, 0
    for start, length, new in sorted(cuts):
        if last <= start and start + length <= len(text):
            spans.append(PersonalSpan(start, start + length, "name", 1.0, ""))
            stands[start] = new
            last = start + length
    out = replace_spans(text, spans, lambda span, _: stands[span.start])
    assert [out.text[place.start : place.end] for place in out.places] == list(stands.values())
    assert (
        out.text[: out.places[0].start if out.places else len(text)]
        == text[: spans[0].start if spans else len(text)]
    )
