"""Recall, precision and CPU time of phones, identity numbers, names and secrets on texts that chose nothing.

    python benchmarks/privacy_unseen.py --sets FOLDER     # a minute

Nobody looked into these texts while the recognisers were written: only figures come out, and the digest of
each set. Phones: django-oscar's translations of "Phone number" with Faker's numbers of that locale,
presidio-evaluator's templates in 20 locales, the customers of tau2 (inspect-evals) as JSON and in the tasks
that name them. Identity numbers: the doctests of python-stdnum with the kind's short name, those that it
refuses among them, and Faker's numbers that it takes. Names: UniversalNER's PUD sets (annotated by people;
FOLDER has them, see `REPOSITORIES`), tau2's customers, the templates. Secrets: the kinds of `privacy.py` with
a seed of its own. What is found in the code and tests of pandas, sympy and holidays is a false alarm of every
type but names, which such code has."""
# ruff: noqa: E501

import argparse
import gzip
import hashlib
import inspect
import json
import random
import re
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import faker

from finewright.fetch.cache import pip_wheel
from finewright.guard.privacy.find import SECRETS, find
from privacy import Label, Labelled, Writer, filled, presidio_templates, secret_texts

SEED = 20261201
TYPES = ("phone", "national_id", "name", "secret")
LOCALES = (
    "de_AT", "de_CH", "nl_BE", "pt_BR", "da_DK", "fi_FI", "cs_CZ", "hu_HU", "ro_RO", "el_GR", "tr_TR",
    "uk_UA", "en_AU", "en_IN", "en_CA", "es_MX", "no_NO", "hr_HR", "fr_CH", "en_IE",
)  # fmt: skip
# Languages of which the tagger of names is told to know something.
NAMED_LOCALES = (
    "de_AT",
    "nl_BE",
    "pt_BR",
    "en_AU",
    "en_CA",
    "es_MX",
    "fr_CH",
    "en_IE",
    "it_IT",
    "pl_PL",
)
OSCAR = (
    "django-oscar",
    "3.2.6",
    "d17ecb1dc311cc47322b8bbc1509d5ed5316271f3dc6f7795d872350b9c8ce21",
)
TAU2 = (
    "inspect-evals",
    "0.26.0",
    "b76d15813182807da141a0f06bb6f18a5f82d1f06291ec2633bb84cdf661f8d0",
)
CODE = (
    ("sympy", "1.13.3", "54612cf55a62755ee71824ce692986f23c88ffa77207b30c1368eda4a7060f73"),
    ("holidays", "0.62", "4db5019092279716276a9fdaa65d4edd066257a6b8caecbfde7e4af520b349f2"),
    ("pandas", "2.2.3", "c124333816c3a9b03fbeef3a9f230ba9a737e9e5bb4060aa2107a86cc0a497fc"),
)  # fmt: skip
# Name -> the file with a word a line, and the column of the labels.
REPOSITORIES = {
    "UniversalNER/UNER_English-PUD": ("07ea0553144e3fcf3d6633efe2a075b725a0d262", "*.iob2"),
    "UniversalNER/UNER_German-PUD": ("47eb039b6d80079b280ba70efe4136413fb7af9c", "*.iob2"),
    "UniversalNER/UNER_Portuguese-PUD": ("cda2cf86b68d45e896aab97ceca5e91d43a86db7", "*.iob2"),
}  # fmt: skip
_CHUNK, _CHUNKS = 1500, 1500
_LABELS = ("Phone number", "Phone")
_CARRIERS = ("{label}: {value}", "{label} {value}\n", '"{label}": "{value}",', "{label}\t{value}\t")
_ID_CARRIERS = ("{label}: {value}", "My {label} is {value}.", "| {label} | {value} |")
_EACH, _TEMPLATED, _FEWEST_WORDS, _SENTENCES = 30, 1500, 5, 600


class Texts(NamedTuple):
    """Labelled texts of one source, and the one type that is counted in them."""

    name: str
    type: str
    items: Sequence[Labelled]


def _holding(head: str, value: str, tail: str, type_: str) -> Labelled:
    return Labelled(head + value + tail, (Label(len(head), len(head) + len(value), type_),))


def _carried(carrier: str, label: str, value: str, type_: str) -> Labelled:
    head, _, tail = carrier.replace("{label}", label).partition("{value}")
    return _holding(head, value, tail, type_)


def templated(type_: str, slot: str, locales: Sequence[str]) -> Texts:
    """The templates that have the slot, in every locale; what else stands in them is not counted."""
    draw = random.Random(f"{SEED} {slot}")  # noqa: S311
    chosen = [line for line in presidio_templates() if re.search(rf"\{{\{{\s*{slot}", line)]
    writers = [Writer(locale, SEED) for locale in locales]
    items = [filled(draw.choice(chosen), writers[i % len(writers)]) for i in range(_TEMPLATED)]
    return Texts(f"templates, {len(locales)} locales", type_, items)


def translated() -> Texts:
    """ "Phone number" in the languages that django-oscar is translated to, before numbers of the place."""
    draw, items = random.Random(f"{SEED} oscar"), []  # noqa: S311
    with zipfile.ZipFile(pip_wheel(*OSCAR)) as wheel:
        for locale in LOCALES:
            writer = Writer(locale, SEED + 1)
            for name in (locale, locale[:2], "nb_NO" if locale == "no_NO" else locale):
                path = f"oscar/locale/{name}/LC_MESSAGES/django.po"
                if path not in wheel.namelist():
                    continue
                text = wheel.read(path).decode()
                found = [re.search(rf'msgid "{label}"\nmsgstr "(.+)"', text) for label in _LABELS]
                words = [match[1] for match in found if match]
                items += [
                    _carried(draw.choice(_CARRIERS), draw.choice(words), value, "phone")
                    for value in (writer.fake.phone_number() for _ in range(_EACH))
                    if words
                ]
    return Texts("translated labels", "phone", items)


def _strings(value: Any) -> Iterator[str]:  # Any: JSON
    if isinstance(value, str):
        yield value
    for one in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from _strings(one)


def _tau2() -> tuple[set[str], set[str], list[str]]:
    """The names and the phone numbers of customers, and the texts of the tasks."""
    base = "inspect_evals/tau2/data/domains/"
    names: set[str] = set()
    phones: set[str] = set()
    texts: set[str] = set()
    with zipfile.ZipFile(pip_wheel(*TAU2)) as wheel:
        for path in ("airline/db.json.gz", "retail/db.json.gz"):
            for user in json.loads(gzip.decompress(wheel.read(base + path)))["users"].values():
                names.add(f"{user['name']['first_name']} {user['name']['last_name']}")
        users = json.loads(wheel.read(base + "banking_knowledge/db.json"))["users"]["data"].values()
        names |= {user["name"] for user in users}
        phones |= {user["phone_number"] for user in users if user.get("phone_number")}
        for domain in ("airline", "retail", "banking_knowledge"):
            texts |= set(_strings(json.loads(wheel.read(f"{base}{domain}/tasks.json"))))
    return names, phones, sorted(texts)


def customers(type_: str) -> Texts:
    """The texts of tasks in which a customer's value stands, every place of it a label."""
    names, phones, texts = _tau2()
    values = sorted(names if type_ == "name" else phones, key=len, reverse=True)
    if type_ == "name":
        values = [value for value in values if value.replace(" ", "").isalpha()]
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, values))})(?!\w)")
    items = [
        Labelled(text, tuple(Label(*match.span(), type_) for match in pattern.finditer(text)))
        for text in texts
        if pattern.search(text)
    ]
    return Texts("tau2 customers", type_, items)


def records() -> Texts:
    """Customers as rows of JSON and of a table."""
    _, phones, _ = _tau2()
    items = [
        _holding(head, value, '"}' if '"' in head else "\n", "phone")
        for value in sorted(phones)
        for head in ('{"phone_number": "', "name,phone\nAnn,", '{"contact": {"mobile": "')
    ]
    return Texts("tau2 records", "phone", items)


_MODULES = (
    "ar.cuit", "at.vnr", "au.tfn", "be.nn", "bg.egn", "bg.pnf", "br.cpf", "ca.sin", "ch.ssn", "cl.rut",
    "cn.ric", "cz.rc", "de.idnr", "dk.cpr", "ee.ik", "es.dni", "es.nie", "fi.hetu", "fr.nir", "gb.nhs",
    "gr.amka", "hr.oib", "ie.pps", "il.idnr", "in_.aadhaar", "in_.pan", "it.codicefiscale", "jp.in_",
    "kr.rrn", "lt.asmens", "lv.pvn", "mx.curp", "nl.bsn", "no.fodselsnummer", "pl.pesel", "pt.cc",
    "pt.nif", "ro.cnp", "ru.inn", "se.personnummer", "si.ddv", "si.emso", "th.pin", "tr.tckimlik",
    "ua.rntrc", "us.ssn", "za.idnr",
)  # fmt: skip


def _doctests(module: Any) -> Iterator[tuple[str, bool]]:  # Any: a module of python-stdnum
    """The numbers that a module's documentation validates, and whether it takes them."""
    for value in re.findall(r">>> (?:validate|format|compact)\('([^']+)'\)", module.__doc__ or ""):
        yield value, bool(module.is_valid(value))


def documented() -> Texts:
    """Numbers of python-stdnum's documentation after the kind's short name; those it refuses are unlabelled."""
    items = []
    for name in _MODULES:
        module = import_module(f"stdnum.{name}")
        label = (inspect.getdoc(module) or "").partition(" (")[0].partition(".")[0]
        if len(label) > 24:  # noqa: PLR2004 - a sentence is no label
            continue
        for value, is_valid in dict(_doctests(module)).items():
            for carrier in _ID_CARRIERS:
                made = _carried(carrier, label, value, "national_id")
                items.append(made if is_valid else Labelled(made.text, ()))
    return Texts("python-stdnum's doctests", "national_id", items)


# Faker's locale -> the module that says whether what it draws is a number, and the label of a form.
_DRAWN = {
    "en_CA": ("ca.sin", "Social Insurance Number"), "pt_BR": ("br.cpf", "CPF"), "pl_PL": ("pl.pesel", "PESEL"),
    "fi_FI": ("fi.hetu", "Henkilötunnus"), "sv_SE": ("se.personnummer", "Personnummer"),
    "no_NO": ("no.fodselsnummer", "Fødselsnummer"), "et_EE": ("ee.ik", "Isikukood"), "nl_NL": ("nl.bsn", "BSN"),
    "nl_BE": ("be.nn", "Rijksregisternummer"), "hr_HR": ("hr.oib", "OIB"), "cs_CZ": ("cz.rc", "Rodné číslo"),
    "sk_SK": ("sk.rc", "Rodné číslo"), "bg_BG": ("bg.egn", "ЕГН"), "ro_RO": ("ro.cnp", "CNP"),
    "it_IT": ("it.codicefiscale", "Codice fiscale"), "de_CH": ("ch.ssn", "AHV-Nummer"),
    "zh_CN": ("cn.ric", "身份证号码"), "ko_KR": ("kr.rrn", "주민등록번호"), "el_GR": ("gr.vat", "ΑΦΜ"),
    "es_MX": ("mx.curp", "CURP"), "fr_FR": ("fr.nir", "NIR"), "en_US": ("us.ssn", "SSN"),
    "tr_TR": ("tr.tckimlik", "TCKN"), "uk_UA": ("ua.rntrc", "РНОКПП"), "es_CL": ("cl.rut", "RUT"),
    "he_IL": ("il.idnr", "תעודת זהות"), "th_TH": ("th.pin", "เลขประจำตัวประชาชน"),
}  # fmt: skip
_MAKERS = {"es_CL": "person_rut", "es_MX": "curp", "bg_BG": "ssn", "el_GR": "tin", "pt_BR": "cpf"}


def drawn() -> Texts:
    """Faker's numbers of 27 locales that python-stdnum takes, in forms and in the templates of others."""
    draw, items = random.Random(f"{SEED} ids"), []  # noqa: S311
    for locale, (name, label) in _DRAWN.items():
        fake, module = faker.Faker(locale), import_module(f"stdnum.{name}")
        fake.seed_instance(SEED)
        make: Callable[[], str] = getattr(fake, _MAKERS.get(locale, "ssn"), fake.ssn)
        values = [value for value in (make() for _ in range(4 * _EACH)) if module.is_valid(value)]
        items += [
            _carried(draw.choice(_ID_CARRIERS), label, value, "national_id")
            for value in values[:_EACH]
        ]
    return Texts("Faker's numbers", "national_id", items)


def _chunks() -> list[str]:
    draw, found = random.Random(SEED), []  # noqa: S311
    for pin in CODE:
        with zipfile.ZipFile(pip_wheel(*pin)) as wheel:
            for name in sorted(wheel.namelist()):
                if name.endswith((".py", ".txt", ".rst", ".md", ".csv", ".json")):
                    text = wheel.read(name).decode(errors="replace")
                    found += [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)]
    return draw.sample(found, _CHUNKS)


def marked(sets: Path) -> Iterator[Texts]:
    """Sentences in which people marked who is named."""
    sys.path.insert(0, str(Path(__file__).parent / "name_tagger"))
    from labelled import Columns, Sentence, rows_of, written

    def texts(name: str, content: str, columns: Any) -> Texts:
        rows: list[Sentence] = [
            written(*row) for row in rows_of(content, columns) if len(row[0]) >= _FEWEST_WORDS
        ]
        random.Random(SEED).shuffle(rows)  # noqa: S311
        items = [
            Labelled(t, tuple(Label(a, b, "name") for a, b in spans))
            for t, spans in rows[:_SENTENCES]
        ]
        return Texts(name, "name", items)

    for repository, (_, pattern) in REPOSITORIES.items():
        path = next((sets / repository.replace("/", "+")).glob(pattern))
        yield texts(repository, path.read_text(encoding="utf-8"), Columns("", "", "\t", 1, 2))


def sets_of(sets: Path | None, type_: str) -> Iterator[Texts]:
    """Every set of a type, then the texts in which all that is found is wrong."""
    if type_ == "phone":
        yield templated("phone", "phone_number", LOCALES)
        yield translated()
        yield customers("phone")
        yield records()
    elif type_ == "national_id":
        yield documented()
        yield drawn()
    elif type_ == "name":
        yield templated("name", "(?:person|name|first_name|last_name)", NAMED_LOCALES)
        yield customers("name")
        yield from marked(sets) if sets is not None else ()
    else:
        planted = secret_texts(SEED, 20)
        yield Texts("planted secrets", type_, [one for items in planted.values() for one in items])
    yield Texts("code", type_, [Labelled(text, ()) for text in _chunks()])


class Counts(NamedTuple):
    """Labels, those that are found, spans that are called, those that are right, and CPU seconds."""

    labels: int
    found: int
    called: int
    right: int
    seconds: float
    digest: str

    def shown(self, name: str) -> str:
        recall = self.found / self.labels if self.labels else 1.0
        precision = self.right / self.called if self.called else 1.0
        figures = (
            f"{self.labels:6} {recall:7.3f} {self.called:6} {precision:7.3f} {self.seconds:8.2f}"
        )
        return f"{name:48} {figures}  {self.digest}"


def _covers(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Do they share most of their characters?"""
    common = min(one[1], other[1]) - max(one[0], other[0])
    return common > 0 and 2 * common >= max(one[1], other[1]) - min(one[0], other[0])


def counted(texts: Texts) -> Counts:
    """What is found of the set's type, by overlap of more than half."""
    types: Any = SECRETS if texts.type == "secret" else {texts.type}
    find("warm", types)
    labels = found = called = right = 0
    whole, seconds = hashlib.sha256(), 0.0
    for item in texts.items:
        whole.update(repr(item).encode("utf-8", "surrogatepass"))
        began = time.process_time()
        spans = [span[:2] for span in find(item.text, types)]
        seconds += time.process_time() - began
        true = [label[:2] for label in item.labels if label.type in types]
        labels, called = labels + len(true), called + len(spans)
        found += sum(any(_covers(span, one) for span in spans) for one in true)
        right += sum(any(_covers(span, one) for one in true) for span in spans)
    return Counts(labels, found, called, right, seconds, whole.hexdigest()[:12])


def total(rows: Sequence[Counts]) -> Counts:
    labels, found = sum(row.labels for row in rows), sum(row.found for row in rows)
    called, right = sum(row.called for row in rows), sum(row.right for row in rows)
    return Counts(labels, found, called, right, sum(row.seconds for row in rows), "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sets", type=Path, help="a folder with the repositories of people's marks"
    )
    parser.add_argument("--type", choices=TYPES, nargs="+", default=TYPES)
    options = parser.parse_args()
    print(f"{'set':48} {'labels':>6} {'recall':>7} {'called':>6} {'right':>7} {'CPU s':>8}  digest")
    for type_ in options.type:
        rows = []
        for texts in sets_of(options.sets, type_):
            counts = counted(texts)
            # Names do stand in code, so that what is called there tells nothing.
            rows += [] if texts.name == "code" and type_ == "name" else [counts]
            print(counts.shown(f"{type_}: {texts.name}"), flush=True)
        print(total(rows).shown(f"{type_}: all"))


if __name__ == "__main__":
    main()
