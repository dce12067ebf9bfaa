"""Phone numbers as people write them, and sums, ranges, versions and dates that only look like them."""

import random
from collections.abc import Iterator, Sequence

import phonenumbers

from bars import Bar
from finewright.guard.privacy.find import find

# {a} to {d} are numbers of 3 to 5 digits, {y} a year, {s} one of 1 to 99. Other forms chose the patterns.
_FORMS = (
    "Natalia earned ${a}-${b}=${c} at work, so {a}-{b}={c}.",
    "In total there are {a} + {b} - {c} = <<{a}+{b}-{c}={d}>>{d} calls.",
    "James has {a}-{s}*{s}={b} left at home.",
    "The bus ring road is {a}-{b} km; lines {a}/{b} and {c}-{d}",
    "Handy mit {a}-{b} mAh kostet {a} {b} Euro",
    "contact time {a}-{b} ms; dial: {a}-{b} rpm",
    "for i in range({a},{b}): call({c}, {d})",
    "Tel Aviv {y}-{y}: {a} {b} {c} visitors",
    "x = {a} - {b} / {c}; mobile = x * {d}",
    "Mobile data {a} {b} {c} MB in {y}-{s}-{s}",
    "phone 4.{s}.{a}-{b} firmware, T {a}-{b}",
    "text me after {a} - {b} = {c} steps",
    "she dialed {s} times {a} {b}",
)
_CALLED = (
    "Call me at {}.", "My number is {}, thanks", "Tel: {}", "Tel. {} (work)", "phone={}",
    "Ruf mich unter {} an", "Mon numéro est le {}", "llámame al {}", "Il mio numero è {}", "{} is my cell",
)  # fmt: skip
_REGIONS = (
    "US", "GB", "DE", "FR", "ES", "IT", "NL", "BE", "AT", "CH", "PT", "PL", "SE", "DK", "IE", "FI", "NO",
    "IN", "BR",
)  # fmt: skip


def bars() -> Iterator[Bar]:
    """Figures that are called phone numbers, and phone numbers that are found."""
    draw = random.Random("written later")  # noqa: S311
    texts = [filled(form, draw) for form in _FORMS for _ in range(100)]
    wrong = [text for text in texts if find(text, {"phone"})]
    on = f"{len(texts)} texts of {len(_FORMS)} forms; called: {wrong[:3] or 'none'}"
    yield Bar("figures called phones", len(wrong), 0, at_most=True, on=on)
    draw = random.Random("phones")  # noqa: S311
    missed = [value for value, text in called(draw, 1500) if value not in spans(text)]
    on = f"1500 numbers of {len(_REGIONS)} countries, as they are written; missed: {missed[:4]}"
    yield Bar("phones found", 1 - len(missed) / 1500, 0.97, on=on)


def filled(form: str, draw: random.Random) -> str:
    """The form with figures drawn for it."""
    text = form
    for name in "abcd":
        size = draw.choice([3, 4, 4, 5])
        text = text.replace(f"{{{name}}}", str(draw.randrange(10 ** (size - 1), 10**size)))
    while "{s}" in text:
        text = text.replace("{s}", str(draw.randint(1, 99)), 1)
    while "{y}" in text:
        text = text.replace("{y}", str(draw.randint(1950, 2030)), 1)
    return text


def called(draw: random.Random, count: int) -> Iterator[tuple[str, str]]:
    """Valid numbers in their national and international forms, in sentences that call them so."""
    forms = (phonenumbers.PhoneNumberFormat.NATIONAL, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
    for number in range(count):
        region = _REGIONS[number % len(_REGIONS)]
        example = phonenumbers.example_number_for_type(region, draw.choice(kinds))
        assert example is not None
        value = phonenumbers.format_number(example, draw.choice(forms))
        places = [i for i, c in enumerate(value) if c.isdigit()][-4:]
        value = "".join(
            draw.choice("0123456789") if i in places else c for i, c in enumerate(value)
        )
        value = value if draw.random() < 0.8 else value.replace(" ", "-")  # noqa: PLR2004
        yield value, draw.choice(_CALLED).format(value)


def spans(text: str) -> Sequence[str]:
    return [text[span.start : span.end] for span in find(text, {"phone"})]
