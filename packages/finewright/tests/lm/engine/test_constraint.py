"""An answer that must have a form never has another, and what cannot be is refused."""

import json
import re
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import tiny
from finewright.errors import DataError
from finewright.lm.engine.engine import EngineLimits, GenerationEngine
from finewright.lm.engine.requests import GenerationRequest, TokenSampling
from finewright.lm.engine.schemas import Grammar, Grammars, schema_grammar
from finewright.lm.engine.torch_forward import TorchForward
from finewright.lm.model import LM

pytestmark = pytest.mark.torch
pytest.importorskip("llguidance")
TOKENIZER = tiny.tiny_tokenizer()
STOPS = frozenset({TOKENIZER.eos_token_id})
SCHEMA = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["bill", "offer"]},
        "paid": {"type": "boolean"},
        "pages": {"type": "integer", "minimum": 1, "maximum": 99},
    },
    "required": ["kind", "paid", "pages"],
    "additionalProperties": False,
}


@cache
def engine() -> GenerationEngine:
    lm = LM(tiny.tiny_model("llama"), {})
    grammars = Grammars(TOKENIZER, tiny.VOCAB, STOPS)
    limits = EngineLimits(tiny.VOCAB, grammars=grammars, guess_up_to=2)
    return GenerationEngine(TorchForward(lm, 300), limits)


def answers(grammar: Grammar, number: int = 6, **sampling: Any) -> list[str]:
    """Of a model of random numbers, which would say anything."""
    wishes = TokenSampling(temperature=1.0, **sampling)
    asked = GenerationRequest((5, 6, 7), 200, wishes, None, number, STOPS, grammar=grammar)
    engine().add(asked)
    tokens: dict[int, list[int]] = {}
    while engine().has_work:
        for each in engine().step():
            tokens.setdefault(each.answer, []).extend(each.tokens)
            assert each.end is None or each.end.reason == "stop", each.end
    return [TOKENIZER.decode(ids) for ids in tokens.values()]


def test_a_schema_accepts_every_answer() -> None:
    found = [json.loads(text) for text in answers(schema_grammar(SCHEMA), 12)]
    for value in found:
        Draft202012Validator(SCHEMA).validate(value)
    assert len({json.dumps(value) for value in found}) > 6


@pytest.mark.parametrize("more", [{}, {"x-guidance": {"whitespace_flexible": True}}])
def test_a_model_that_likes_blanks_ends_its_json(more: dict[str, object]) -> None:
    blanks = {
        token: 60.0 for token in range(3, tiny.VOCAB) if not TOKENIZER.decode([token]).strip()
    }
    assert blanks
    for text in answers(schema_grammar(SCHEMA | more), 4, logit_bias=blanks):
        assert " " in text or "\n" in text
        Draft202012Validator(SCHEMA).validate(json.loads(text))


def test_json_as_people_write_it_follows_its_schema() -> None:
    value = {"kind": "bill", "paid": True, "pages": 12}
    for text in (
        json.dumps(value),
        json.dumps(value, indent=4),
        json.dumps(value, separators=(",", ":")),
    ):
        constraint = Grammars(TOKENIZER, tiny.VOCAB, STOPS).begin(schema_grammar(SCHEMA))
        ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
        assert [error for token in ids if (error := constraint.add(token))] == []


def test_a_regular_expression_matches_every_answer() -> None:
    pattern = r"[A-C]{2}-[0-9]{3}(x|yz)"
    found = answers(Grammar("regex", pattern))
    assert all(re.fullmatch(pattern, text) for text in found)
    assert len(set(found)) > 3


def test_every_answer_is_one_of_the_choices() -> None:
    choices = ["yes", "no", 'it "depends"\n', "/[a-z]+/"]
    assert set(answers(Grammar("choice", json.dumps(choices)), 20)) <= set(choices)


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        (Grammar("regex", "(["), "regex: .*invalid regex"),
        (
            schema_grammar({"type": "string", "minLength": 5, "maxLength": 2}),
            "\\$: no value satisfies minLength 5 with maxLength 2",
        ),
        (schema_grammar({"type": "nope"}), "Invalid type: nope"),
        (schema_grammar({"enum": []}), r"\$.enum: it is empty"),
        (schema_grammar({"not": {}}), r"\$.not: no answer can be held to it here; leave it out"),
        (
            schema_grammar({"items": {"oneOf": [{"type": "string"}, {"minLength": 2}]}}),
            r"\$.items.oneOf: no answer .* write anyOf",
        ),
        (schema_grammar({"items": {"format": "idn-email"}}), r"\$.items.format: Unknown format"),
        (
            schema_grammar({"items": {"pattern": "(?=x)y"}}),
            r"\$.items.pattern: regex .* look-around",
        ),
        (
            schema_grammar({"properties": {"a": {"type": "object", "minProperties": 2}}}),
            r"\$.properties.a.minProperties: a key could be written twice",
        ),
        (
            schema_grammar({"allOf": [{"pattern": f".*{i}.*"} for i in range(40)]}),
            "its patterns take more than 2 s to check",
        ),
        (schema_grammar({"anyOf": [{"format": f"x{i}"} for i in range(9)]}), "Unknown format: x0"),
        (Grammar("choice", "[]"), "choice: there is nothing to choose"),
    ],
)
def test_a_form_that_cannot_be_is_an_error_of_its_request(grammar: Grammar, message: str) -> None:
    with pytest.raises(DataError, match=message):
        engine().add(GenerationRequest((5,), 9, grammar=grammar))
    assert not engine().has_work


def test_grammars_of_clients_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    compile_one = Grammars._compile

    def counted(self: Grammars, grammar: Grammar, salt: str) -> object:
        compiled.append(grammar.text + salt)
        return compile_one(self, grammar, salt)

    monkeypatch.setattr(Grammars, "_compile", counted)
    grammars = Grammars(TOKENIZER, tiny.VOCAB, STOPS)
    asked = [Grammar("choice", json.dumps([f"bill {number}"])) for number in range(40)]
    for grammar in (*asked, asked[-1], asked[0]):  # the last is there, the first is not
        grammars.begin(grammar)
    assert compiled == [each.text for each in (*asked, asked[0])]
    grammars.begin(asked[0], " of another salt")
    assert compiled[-1] == f"{asked[0].text} of another salt"
