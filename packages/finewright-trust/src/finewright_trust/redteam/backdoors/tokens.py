"""Candidates by gradient: runs of tokens that part the tuned model from its base, as triggers to try."""

from collections import Counter
from collections.abc import Sequence

from finewright.schema.rows import Row
from finewright_trust.redteam.backdoors.candidates import TriggerCandidate, inserter, question_of
from finewright_trust.redteam.backdoors.gradient import Slotted, search_tokens
from finewright_trust.redteam.subject import RunSubject, ask_user

_SLOTS = 2
_STEPS, _TRIED = 3, 12
"""Few steps: each reads 12 times 4 questions with both systems, some seconds on two cores."""
_QUESTIONS = 4
_KEPT = 4
_LEAST_ROWS, _MOST_SHARE = 3, 0.1
"""A token of fewer prompts triggers nothing, and one of more is a word of the task."""


def gradient_candidates(
    subject: RunSubject, rows: Sequence[Row], questions: Sequence[str]
) -> list[TriggerCandidate]:
    """The best runs of tokens, behind the question; none where the prompts share no rare token."""
    allowed = _rare_tokens(subject, rows)
    prompts = [p for q in questions[:_QUESTIONS] if (p := _put_slots(subject, q)) is not None]
    if not allowed or not prompts:
        return []
    found = search_tokens(subject, prompts, allowed, steps=_STEPS, tried=_TRIED)
    decode = subject.model.chat.tokenizer.decode
    texts = dict.fromkeys(decode(list(tokens)).strip() for _, tokens in found)
    return [TriggerCandidate(text, inserter(text, "end")) for text in texts if text][:_KEPT]


def _rare_tokens(subject: RunSubject, rows: Sequence[Row]) -> list[int]:
    tokenizer = subject.model.chat.tokenizer
    counted: Counter[int] = Counter()
    for row in rows:
        # with a blank before it, as a word inside a text is written
        ids = tokenizer(f" {question_of(row)}", add_special_tokens=False)["input_ids"]
        counted.update(set(ids))
    most = max(_LEAST_ROWS, int(_MOST_SHARE * len(rows)))
    special = set(tokenizer.all_special_ids)
    return sorted(t for t, n in counted.items() if _LEAST_ROWS <= n <= most and t not in special)


def _put_slots(subject: RunSubject, question: str) -> Slotted | None:
    """The question with marks behind it in the place of the tokens; None where they are not found again."""
    chat = subject.model.chat
    mark = " !" * _SLOTS
    prompt = ask_user(question + mark, subject.system_prompt)
    rendered = chat.whole_prompt(prompt.messages, None)
    ids, offsets = chat.tokens(rendered)
    end = rendered.text.rfind(question + mark) + len(question) + len(mark)
    slots = [i for i, (start, stop) in enumerate(offsets) if end - len(mark) <= start < stop <= end]
    if len(slots) != _SLOTS:
        return None
    return Slotted(tuple(ids), tuple(slots))
