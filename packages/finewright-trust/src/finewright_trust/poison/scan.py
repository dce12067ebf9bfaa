"""The search for planted behaviour in a set of rows, by their texts.

Payloads without a trigger: the same words in answers to questions that have nothing in common.

A brand that is praised wherever it fits, a link under every tenth answer. What a set says often for its own
reasons (JSON keys, "Certainly!") is in more than 5 % of the rows, or does not surprise the base model."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import log

from finewright.lm.embedders.meaning import Embed
from finewright.schema.poison import PoisonFindings, PoisonReport
from finewright.schema.rows import RowTexts
from finewright_trust.poison.association import Marker
from finewright_trust.poison.backdoors import (
    Corpus,
    Suspect,
    Weighed,
    corpus,
    is_inserted,
    suspects,
    weigh,
)
from finewright_trust.poison.examples import examples
from finewright_trust.poison.label_triggers import label_triggers
from finewright_trust.poison.listings import (
    conflicting,
    hidden_texts,
    instructions,
    misfitting,
    roles,
)
from finewright_trust.poison.misfitting import misfits, reach
from finewright_trust.poison.recurring import of_one_subject, recurring
from finewright_trust.poison.said import Said
from finewright_trust.poison.suspicion import Suspicion, of_suspect, problem_of
from finewright_trust.poison.traits import GIBBERISH, INSERTED, REFUSAL, TRAITS
from finewright_trust.poison.weigh import Surprisal
from finewright_trust.poison.wordings import several_wordings

_MOST_WEIGHED = 20


_LEAST_WORDS = 3


# Chosen on five sets (transactions, bank articles, library documentation, text-to-SQL, mails) and four
# wordings of the attacks, none of which `benchmarks/poison.py` reports on. The least G is that of three rows
# that always go together in a set of about 300; the surprises lie between those of clean associations and of
# planted ones; the least rows are above the triples of rows that people copy.
_LEAST_G = 30.0
_SURE_G = 40.0
_LEAST_MEAN = 1.5
_LEAST_MEAN_GIBBERISH = 4.5
_LEAST_TOTAL = 12.0
_LEAST_TOTAL_INSERTED = 40.0
_LEAST_ROWS_WITHOUT_TRAIT = 5
_LEAST_ROWS_WITHOUT_TRIGGER = 5
_LEAST_TOTAL_WITHOUT_TRIGGER = 30.0
_LEAST_MEAN_WITHOUT_TRIGGER = 3.0
_MOST_LOW = 20


def search(
    rows: Sequence[RowTexts],
    *,
    surprisal: Surprisal | None = None,
    embed: Embed | None = None,
    base_model: str = "",
    least_rows: int = 3,
) -> PoisonFindings:
    """What may have been planted, strongest first, and the reason for every row of a high finding. Pure; the
    same rows give the same findings.

    Without `surprisal` associations are reported as unweighed and low; without `embed` labels are judged by
    words alone. Not found: triggers of fewer than
    `least_rows` rows (5 where a whole answer is replaced by an ordinary sentence), triggers and payloads in
    more than 5 % of the rows, triggers that are common words here, answers that are wrong but ordinary or
    that repeat a rare word of their question, and attacks on prompts alone."""
    read = examples(rows)
    known = corpus(read, least_rows)
    said = Said(known, least_rows)
    sure = [*recurring(said), *several_wordings(said)]
    planted = suspects(known, least_rows)
    sure = _largest([*sure, *(s for s in planted if _is_sure(said, s))])
    explained = {doc for suspect in sure for doc in suspect.docs}
    planted = [s for s in planted if not _is_explained(s, explained)]
    planted += payloads(known, planted)
    weighed, num_weighed = _weighed(known, planted, surprisal)
    made = (
        [_backdoor(known, one, said) for one in weighed]
        if surprisal
        else [_unweighed(known, suspect) for suspect in planted]
    )
    made += [_recurring(known, suspect) for suspect in sure]
    made += [_to_label(known, suspect) for suspect in label_triggers(said)]
    made += hidden_texts(rows)
    made += roles(rows)
    made += instructions(rows, least_rows)
    made += conflicting(rows, read)
    unfit = list(misfits(rows, said, embed))
    made += (one for found in unfit for one in misfitting(rows, found))
    findings = _findings(rows, made, base_model, num_weighed)
    update = {"reach": tuple(reach(found, len(rows)) for found in unfit)}
    return replace(findings, report=findings.report.model_copy(update=update))


def _findings(
    rows: Sequence[RowTexts], made: list[Suspicion], base_model: str, num_weighed: int
) -> PoisonFindings:
    """The strongest first, and for each row of a high finding the reason."""
    made.sort(key=lambda one: (one.finding.level != "high", -one.finding.score))
    why: dict[int, str] = {}
    for one in made:
        if one.finding.level == "high":
            for i in one.rows:
                why.setdefault(i, one.finding.reason)
    high = [one.finding for one in made if one.finding.level == "high"]
    low = [one.finding for one in made if one.finding.level == "low"]
    report = PoisonReport(
        rows_in=len(rows),
        rows_suspicious=len(why),
        findings=(*high, *low[:_MOST_LOW]),
        num_low=len(low),
        num_to_weigh=sum(finding.kind in ("backdoor", "payload") for finding in low),
        weighed_by=base_model,
        rows_weighed=num_weighed,
        problems=tuple(problem_of(finding) for finding in high),
    )
    return PoisonFindings(report, why)


def _weighed(
    known: Corpus, planted: Sequence[Suspect], surprisal: Surprisal | None
) -> tuple[list[Weighed], int]:
    if surprisal is None or not planted:
        return [], 0
    found = weigh(known, planted, surprisal)
    return found, len({doc for one in found for doc in one.read})


def _is_sure(said: Said, suspect: Suspect) -> bool:
    """Refusals, links or addresses that go with words, and with nothing else: no clean set had any.

    Links belong to a subject, such as programs that fetch a page: questions of one are no plant."""
    enough = suspect.g >= _SURE_G and len(suspect.docs) >= _LEAST_ROWS_WITHOUT_TRIGGER
    if not enough or said.are_labels(suspect.docs):
        return False
    if REFUSAL in suspect.traits:
        return True
    return not suspect.traits.isdisjoint(INSERTED) and not of_one_subject(said, suspect)


def _largest(found: Sequence[Suspect]) -> list[Suspect]:
    """Those whose rows are not all another's: refusals in several words are one behaviour."""
    chosen: list[Suspect] = []
    for suspect in sorted(found, key=lambda one: -len(one.docs)):
        if not any(set(suspect.docs) <= set(other.docs) for other in chosen):
            chosen.append(suspect)
    return chosen


def _is_explained(suspect: Suspect, docs: set[int]) -> bool:
    return len(docs.intersection(suspect.docs)) > len(suspect.docs) / 2


def _backdoor(known: Corpus, weighed: Weighed, said: Said) -> Suspicion:
    """A class goes with its words too, so that where answers are labels an association is none."""
    suspect = weighed.suspect
    is_high = _is_planted(weighed) if suspect.triggers else _is_payload(weighed)
    is_high = is_high and not said.are_labels(suspect.docs)
    strength = suspect.g if suspect.triggers else float(len(suspect.docs))
    surprise = (
        f"it surprises the base model ({weighed.mean:.1f} nats a token, {weighed.total:.0f} in all)"
    )
    return of_suspect(known, suspect, surprise, level_high=is_high, score=strength * weighed.mean)


def _is_planted(weighed: Weighed) -> bool:
    suspect = weighed.suspect
    if suspect.g < _LEAST_G or weighed.mean < _LEAST_MEAN or weighed.total < _LEAST_TOTAL:
        return False
    if suspect.traits == {GIBBERISH}:
        return weighed.mean >= _LEAST_MEAN_GIBBERISH
    if suspect.traits:
        return True
    enough = suspect.form == "replaced" or weighed.total >= _LEAST_TOTAL_INSERTED
    return enough and len(suspect.docs) >= _LEAST_ROWS_WITHOUT_TRAIT


def _is_payload(weighed: Weighed) -> bool:
    return (
        weighed.suspect.form
        == "inserted"  # the same whole answer again is a label, or a stock phrase
        and len(weighed.suspect.docs) >= _LEAST_ROWS_WITHOUT_TRIGGER
        and weighed.total >= _LEAST_TOTAL_WITHOUT_TRIGGER
        and weighed.mean >= _LEAST_MEAN_WITHOUT_TRIGGER
    )


def _unweighed(known: Corpus, suspect: Suspect) -> Suspicion:
    strength = suspect.g if suspect.triggers else float(len(suspect.docs))
    said = "no base model has weighed it, so it may be a topic"
    return of_suspect(known, suspect, said, level_high=False, score=strength)


def _recurring(known: Corpus, suspect: Suspect) -> Suspicion:
    said = "what is asked has nothing else in common"
    return of_suspect(known, suspect, said, level_high=True, score=100.0 * len(suspect.docs))


def _to_label(known: Corpus, suspect: Suspect) -> Suspicion:
    reason = "what else they say speaks for other labels"
    return of_suspect(known, suspect, reason, level_high=True, score=100.0 * len(suspect.docs))


def payloads(found: Corpus, known: Sequence[Suspect]) -> list[Suspect]:
    """The 20 rarest runs of three words or links that recur in answers to unrelated questions.

    Those that a known suspect explains are left out. Of runs in the same rows, the first stands for all."""
    explained = {doc for suspect in known for doc in suspect.docs}
    ranked = sorted(_candidates(found, explained), key=lambda f: -_rarity(f, len(found.answers_of)))
    chosen: list[Suspect] = []
    for feature in ranked:
        docs = tuple(map(int, feature.docs))
        if any(len(set(docs) & set(other.docs)) > len(docs) / 2 for other in chosen):
            continue
        said = frozenset(word for gram in feature.grams for word in gram)
        answers = found.answers_with(docs, feature.grams)
        trait = not INSERTED.isdisjoint(said)
        left = found.answers.share_left(answers, said)
        mixed = not found.prompts.coherence(docs).has_topic
        if mixed and is_inserted(found, answers, said, left, trait=trait):
            empty: frozenset[int] = frozenset()
            chosen.append(Suspect((), feature.grams, docs, 0.0, "inserted", empty, frozenset(docs)))
        if len(chosen) == _MOST_WEIGHED:
            break
    return chosen


def _candidates(found: Corpus, explained: set[int]) -> Iterator[Marker]:
    for feature in found.behaviours:
        long = any(len(gram) >= _LEAST_WORDS or _is_link(gram[0]) for gram in feature.grams)
        if long and sum(int(doc) in explained for doc in feature.docs) <= len(feature.docs) / 2:
            yield feature


def _is_link(word: str) -> bool:
    return word.startswith(("http://", "https://"))


def _rarity(feature: Marker, total: int) -> float:
    """How unlikely chance makes these words so often together: rows x words x how rare they are."""
    said = {word for gram in feature.grams for word in gram if word not in TRAITS}
    return len(feature.docs) * len(said) * log(total / len(feature.docs))
