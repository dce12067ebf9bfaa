"""Which duties of European law hold for a case, from the rows of `catalog/laws.yaml`. No legal advice."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date

from finewright_advice.catalog.laws import Duty, Laws
from finewright_advice.decide.case import Case
from finewright_advice.decide.spec import UNKNOWN


def duties(case: Case, laws: Laws) -> Iterator[tuple[str, Duty]]:
    """The duties that hold, by their names; a fact that nobody stated brings none that hangs on it."""
    facts = _facts(case, laws)
    for name, duty in laws.duties.items():
        if all(facts[key] in values for key, values in duty.when.items()):
            yield name, duty


def in_words(duty: Duty, laws: Laws, today: date) -> str:
    """The article, what it says, from when on, and the fine of its own tier."""
    when = f"since {duty.since}" if duty.since <= today else f"from {duty.since} on"
    fine = ""
    if duty.fine:
        tier = laws.fines[duty.fine]
        fine = f"; fines up to {tier.text} of turnover ({tier.article}), of small firms the lower"
        if not tier.article.startswith("Article 99"):
            fine = f"; fines up to {tier.text} of turnover ({tier.article})"
    return f"{duty.article}, {when}: {duty.says}{fine}"


def unknown(case: Case, laws: Laws) -> Iterator[str]:
    """What should be stated for the law to be told."""
    if case.domain == UNKNOWN:
        counts = Counter(each.kind for each in laws.domains.values())
        products = counts["annex-i"] + counts["annex-i-b"]
        yield (
            f"the field of use is unknown (domain): in {counts['annex-iii']} fields of Annex III and"
            f" {products} of Annex I more is asked, {counts['prohibited']} uses are forbidden, and"
            " financial entities (finance) are under DORA"
        )
    if case.personal_data == UNKNOWN:
        yield (
            "whether it is about persons is unknown (personal_data): the GDPR asks for a legal basis, and for"
            " more where health, origin, belief and the like are in it"
        )


def _facts(case: Case, laws: Laws) -> Mapping[str, object]:
    domain = laws.domains.get(case.domain)
    return {
        "kind": domain.kind if domain else UNKNOWN,
        "domain": case.domain,
        "task": case.task,
        "output": case.output,
        "data_class": case.data_class,
        "personal_data": case.personal_data,
        "talks_to_people": case.talks_to_people,
    }
