"""How much personal data `data personal` finds, by type, on labelled text.

    pip install faker python-stdnum
    python benchmarks/privacy.py                          # about a minute, most of it making the texts
    python benchmarks/privacy.py --ner FOLDER             # names with a spaCy pipeline as well

The texts are the 209 templates of presidio-evaluator (MIT; banking, medicine, small talk) filled with
Faker: half of them drawn as they are, half so that every type occurs often. Patterns were tuned on seed 1
and the locales en_US, nl_NL, pl_PL, pt_PT, sv_SE; what is reported is seed 2026 and en_US, en_GB, es_ES,
de_DE, fr_FR, it_IT. Spans count when offsets and type are exact; names and addresses also when they
overlap. Street, number, town and postcode in a row are one address; a town or country alone is none. The
label of one template, "It's like that since", is a date and no birth, and is left out of that type.

Secrets are made for privacy_unseen.py: pattern and planted value are by one hand, so none is counted here.
"""

import argparse
import base64
import json
import random
import re
import string
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from faker import Faker

from finewright.fetch.cache import pip_wheel
from finewright.guard.privacy.find import find

WHEEL = (
    "presidio-evaluator",
    "0.3.2",
    "57614fe604e52b78e6de25b767c59265886b93bbcdc6c7e43ab2657d3f6302be",
)
TEMPLATES = "presidio_evaluator/data_generator/raw_data/templates.txt"
REPORTED = (2026, ("en_US", "en_GB", "es_ES", "de_DE", "fr_FR", "it_IT"))
STRUCTURED = ("email", "iban", "card", "phone", "national_id", "ip", "url", "date_of_birth")
LOOSE = ("name", "address")
BAR = 0.95


class Label(NamedTuple):
    """A true span."""

    start: int
    end: int
    type: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and all that it holds."""

    text: str
    labels: tuple[Label, ...]


# ---------------------------------------------------------------- texts with personal data


_TYPES = {
    "person": "name", "name": "name", "first_name": "name", "last_name": "name", "email": "email",
    "phone_number": "phone", "credit_card_number": "card", "iban": "iban", "ssn": "national_id",
    "ip_address": "ip", "url": "url", "date_of_birth": "date_of_birth", "address": "address",
    "street_address": "address",
}  # fmt: skip
_OF_ADDRESS = {
    "address", "street_address", "building_number", "street_name", "secondary_address", "city", "country",
    "postcode", "zipcode", "state_abbr",
}  # fmt: skip
_SLOT = re.compile(r"\{\{\s*([a-z_]+)\s*\}\}")
_NO_BIRTH = "It's like that since"


class Writer:
    """Values of one locale."""

    def __init__(self, locale: str, seed: int) -> None:
        self.locale = locale
        self.fake = Faker(locale)
        self.fake.seed_instance(seed)
        self.draw = random.Random(f"{seed} {locale}")  # noqa: S311

    def value(self, slot: str) -> str:
        """What a slot of a template is filled with."""
        fake, draw = self.fake, self.draw
        makers: dict[str, Callable[[], Any]] = {
            "address": lambda: fake.address().replace("\n", ", "),
            "ip_address": draw.choice([fake.ipv6, fake.ipv4_public, fake.ipv4_public]),
            "ssn": partial(national_id, self),
            "date_of_birth": partial(birth, self),
            "date_time": fake.date,
            "organization": fake.company,
            "person": fake.name,
            "zipcode": fake.postcode,
            "age": lambda: draw.randint(18, 90),
            "year": lambda: draw.randint(1950, 2020),
            "prefix": lambda: draw.choice(["Mr.", "Mrs.", "Dr."]),
            "prefix_male": lambda: "Mr.",
            "prefix_female": lambda: "Mrs.",
            "nationality": lambda: draw.choice(["Spanish", "German", "Kenyan"]),
            "nation_woman": lambda: "Frenchwoman",
            "nation_plural": lambda: "Italians",
            "state_abbr": lambda: draw.choice(["CA", "NY", "TX"]),
            "secondary_address": lambda: f"Apt. {draw.randint(1, 99)}",
            "us_driver_license": lambda: f"{draw.choice('ABCDE')}{draw.randrange(10**6, 10**7)}",
            "url": draw.choice([fake.url, fake.uri]),
            "day_of_week": fake.day_of_week,
        }
        plain = re.sub("_(?:male|female|nonbinary)$", "", slot)
        made = makers[slot]() if slot in makers else getattr(fake, plain)()
        return str(made)


_DATE_FORMS = {
    "en_US": ("%m/%d/%Y", "%B %d, %Y", "%Y-%m-%d"),
    "en_GB": ("%d/%m/%Y", "%d %B %Y", "%Y-%m-%d"),
    "de_DE": ("%d.%m.%Y", "%Y-%m-%d"),
}


def birth(writer: Writer) -> str:
    """A date of birth as the locale writes it."""
    day = writer.fake.date_of_birth(minimum_age=1, maximum_age=95)
    return str(
        day.strftime(writer.draw.choice(_DATE_FORMS.get(writer.locale, ("%d/%m/%Y", "%Y-%m-%d"))))
    )


def national_id(writer: Writer) -> str:
    """A valid identity number of the locale's country."""
    fake, draw = writer.fake, writer.draw
    if writer.locale == "es_ES":
        return str(draw.choice([fake.nif, fake.nie])())
    if writer.locale == "en_GB":
        letters = draw.choice(["AB", "CE", "JK", "PY", "SN"])
        gap = draw.choice(["", " "])
        pairs = [f"{draw.randrange(100):02}" for _ in range(3)]
        return gap.join([letters, *pairs, draw.choice("ABCD")])
    drawn = {"de_DE": ("stdnum.de.idnr", "{:011}"), "pt_PT": ("stdnum.pt.nif", "2{:08}")}
    if writer.locale in drawn:
        module, form = drawn[writer.locale]
        size = int(re.findall("[0-9]+(?=})", form)[0])
        numbers = (form.format(draw.randrange(10**size)) for _ in range(10**6))
        return next(number for number in numbers if import_module(module).is_valid(number))
    return str(fake.pesel() if writer.locale == "pl_PL" else fake.ssn())


def filled(template: str, writer: Writer) -> Labelled:
    """The template with its slots filled, and a label for each that is personal."""
    text, labels, last = "", [], 0
    slots = list(_SLOT.finditer(template))
    parts: list[tuple[str, int, int]] = []
    for slot in slots:
        text += template[last : slot.start()]
        value = writer.value(slot[1])
        parts.append((slot[1], len(text), len(text) + len(value)))
        text += value
        last = slot.end()
    text += template[last:]
    for group in grouped(parts, text):
        names = [name for name, _, _ in group]
        if {"building_number", "street_name"} <= set(names) or names[0] in (
            "address",
            "street_address",
        ):
            labels.append(Label(group[0][1], group[-1][2], "address"))
        elif len(names) == 1 and (type_ := type_of(names[0], template)):
            labels.append(Label(group[0][1], group[0][2], type_))
    return Labelled(text, tuple(labels))


def type_of(slot: str, template: str) -> str | None:
    """The type that a slot has in this template."""
    if slot == "date_of_birth" and _NO_BIRTH in template:
        return None
    return _TYPES.get(re.sub("_(?:male|female|nonbinary)$", "", slot))


def grouped(
    parts: Sequence[tuple[str, int, int]], text: str
) -> Iterator[list[tuple[str, int, int]]]:
    """The slots one by one, but those of one address together."""
    group: list[tuple[str, int, int]] = []
    for part in parts:
        joins = group and part[0] in _OF_ADDRESS and group[-1][0] in _OF_ADDRESS
        if joins and not text[group[-1][2] : part[1]].strip(" ,\n>?"):
            group.append(part)
        else:
            if group:
                yield group
            group = [part]
    if group:
        yield group


def texts_of(
    templates: Sequence[str], seed: int, locales: Sequence[str], num_texts: int
) -> list[Labelled]:
    """Half drawn from all templates alike, half so that each type is drawn alike."""
    draw = random.Random(seed)  # noqa: S311
    writers = [Writer(locale, seed) for locale in locales]
    by_type: dict[str, list[str]] = {}
    for template in templates:
        for slot in _SLOT.finditer(template):
            if type_ := type_of(slot[1], template):
                by_type.setdefault(type_, []).append(template)
    types = sorted(by_type)
    texts = []
    for number in range(num_texts):
        pool = templates if number % 2 else by_type[types[number // 2 % len(types)]]
        texts.append(filled(draw.choice(pool), writers[number % len(writers)]))
    return texts


def presidio_templates() -> list[str]:
    """The templates, out of the wheel; nothing of it is installed or run."""
    with zipfile.ZipFile(pip_wheel(*WHEEL)) as wheel:
        text = wheel.read(TEMPLATES).decode(errors="replace")
    return [line.strip().replace("\\n", "\n") for line in text.splitlines() if line.strip()]


# ---------------------------------------------------------------- texts with secrets

_ALNUM = string.ascii_letters + string.digits
_CARRIERS = (
    "My key is {}, please keep it.", "export KEY={}", 'const token = "{}";',
    "curl -H 'Authorization: Bearer {}' x",
    '{{"value": "{}"}}', "{}", "I pasted {} by mistake\nand cannot remove it", "# old: {}",
)  # fmt: skip


class Drawn:
    """Random parts of secrets."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw

    def chars(self, size: int, alphabet: str = _ALNUM) -> str:
        return "".join(self.draw.choices(alphabet, k=size))

    def b64(self, size: int) -> str:
        return base64.b64encode(self.draw.randbytes(size)).decode()

    def url64(self, size: int) -> str:
        return base64.urlsafe_b64encode(self.draw.randbytes(size)).decode().rstrip("=")

    def jwt(self) -> str:
        head = {"alg": self.draw.choice(["HS256", "RS256"]), "typ": "JWT"}
        parts = [json.dumps(part).encode() for part in (head, {"sub": self.chars(8), "iat": 1})]
        coded = [base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts]
        return ".".join([*coded, self.url64(32)])

    def pem(self) -> str:
        kind = self.draw.choice(["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "])
        lines = "\n".join(self.b64(48) for _ in range(self.draw.randint(2, 12)))
        return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n{self.b64(20)}\n-----END {kind}PRIVATE KEY-----"

    def discord(self) -> str:
        user = base64.b64encode(str(self.draw.randrange(10**17, 10**18)).encode()).decode()
        return f"{user.rstrip('=')}.{self.url64(5)[:6]}.{self.url64(28)[:38]}"

    def mnemonic(self) -> str:
        from mnemonic import Mnemonic

        number = self.draw.randbytes(self.draw.choice([16, 20, 24, 28, 32]))
        return str(Mnemonic("english").to_mnemonic(number))

    def connection(self) -> str:
        scheme = self.draw.choice(["postgres", "mysql", "mongodb+srv", "redis", "amqp", "https"])
        return f"{scheme}://{self.chars(6)}:{self.chars(14)}@db.{self.chars(5).lower()}.io:5432/x"

    def slack(self) -> str:
        return f"xox{self.chars(1, 'bp')}-{self.chars(12, '0123456789')}-{self.chars(24)}"

    def slack_hook(self) -> str:
        return f"hooks.slack.com/services/T{self.chars(8)}/B{self.chars(8)}/{self.chars(24)}"


def secret_kinds(
    draw: random.Random,
) -> Mapping[str, tuple[str, Callable[[], str], tuple[str, ...]]]:
    """Kind -> the type it is found as, how it is drawn, and what it stands in ({} is the value)."""
    drawn = Drawn(draw)
    chars, b64, url64 = drawn.chars, drawn.b64, drawn.url64
    hexa, plain = "0123456789abcdef", _CARRIERS
    keyed = (
        "private key: {}",
        "PRIVATE_KEY={}",
        "privateKey = '{}'",
        "Mein privater Schlüssel ist {}.",
    )
    secret = (
        "password: {}",
        'password = "{}"',
        "Mein Passwort lautet {}",
        "mot de passe : {}",
        "DB_PASSWORD={}",
    )
    seeds = ("{}", "my seed phrase: {}.", 'MNEMONIC="{}"', "Seed: {}\nbye")
    services = ("{}", "DATABASE_URL={}", "use {} for it")
    assigned = ("api_key: {}", 'client_secret="{}"', "AUTH_TOKEN={}")
    return {
        "AWS key id": ("cloud_key", lambda: "AKIA" + chars(16, string.ascii_uppercase + "234567"), plain),
        "Google API key": ("cloud_key", lambda: "AIza" + url64(27)[:35], plain),
        "Azure storage key": ("cloud_key", lambda: b64(64), ("AccountName=a;AccountKey={};",)),
        "GitHub token": ("forge_token", lambda: f"gh{chars(1, 'pousr')}_{chars(36)}", plain),
        "GitHub fine-grained": ("forge_token", lambda: f"github_pat_{chars(22)}_{chars(59)}", plain),
        "GitLab token": ("forge_token", lambda: "glpat-" + url64(15), plain),
        "Slack token": ("chat_token", drawn.slack, plain),
        "Slack webhook": ("chat_token", drawn.slack_hook, ("https://{}",)),
        "Discord bot token": ("chat_token", drawn.discord, plain),
        "Telegram bot token": ("chat_token", lambda: f"{chars(10, '123456789')}:AA{url64(30)[:33]}", plain),
        "Stripe key": ("payment_key", lambda: f"{draw.choice(['sk', 'rk'])}_live_{chars(24)}", plain),
        "OpenAI key": ("model_key", lambda: f"sk-proj-{url64(60)}", plain),
        "Anthropic key": ("model_key", lambda: f"sk-ant-api03-{url64(60)}", plain),
        "Hugging Face token": ("model_key", lambda: "hf_" + chars(34), plain),
        "npm token": ("package_token", lambda: "npm_" + chars(36), plain),
        "PyPI token": ("package_token", lambda: "pypi-AgEIcHlwaS5vcmc" + url64(90), plain),
        "JWT": ("jwt", drawn.jwt, plain),
        "PEM private key": ("private_key", drawn.pem, ("{}", "key:\n{}\nbye", "<key>{}</key>")),
        "Ethereum key": ("ethereum_key", lambda: draw.choice(["", "0x"]) + chars(64, hexa), keyed),
        "mnemonic": ("mnemonic", drawn.mnemonic, seeds),
        "connection string": ("connection_string", drawn.connection, services),
        "password": ("password", lambda: f"{chars(7)}{draw.choice('!#%')}{chars(2)}7x", secret),
        "assigned key": ("secret_value", lambda: chars(32) + "7a", assigned),
    }  # fmt: skip


def decoys(draw: random.Random) -> list[str]:
    """Texts without a secret, of values that look like one."""
    hexa = draw.randbytes(32).hex()
    return [
        f"commit {draw.randbytes(20).hex()} and sha256:{hexa}",
        f"bytes32 constant ROOT = 0x{hexa}; // keccak256 of the key",
        f"address token = 0x{draw.randbytes(20).hex()};",
        f"tx 0x{hexa} was mined, private mempool, key point",
        f"id {uuid.UUID(bytes=draw.randbytes(16))}, token_id = {draw.randrange(10**9)}",
        "password: required; token = get_token(); api_key = os.environ['API_KEY']",
        "use sk-your-key-here, ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx or <token>",
        "postgres://user:password@localhost/db, https://example.org:443/a@b",
        f"data:image/png;base64,{base64.b64encode(draw.randbytes(60)).decode()}",
        "the legal winner may thank the year while the wave is worth a useful sausage",
    ]


def secret_texts(seed: int, each: int) -> dict[str, list[Labelled]]:
    """Kind -> labelled texts; under `decoys` those without any."""
    draw = random.Random(seed)  # noqa: S311
    made: dict[str, list[Labelled]] = {}
    for kind, (type_, make, carriers) in secret_kinds(draw).items():
        for number in range(each):
            value = make()
            head, tail = (
                carriers[number % len(carriers)]
                .replace("{{", "{")
                .replace("}}", "}")
                .split("{}", 1)
            )
            label = Label(len(head), len(head) + len(value), type_)
            made.setdefault(kind, []).append(Labelled(head + value + tail, (label,)))
    made["decoys"] = [Labelled(text, ()) for _ in range(each) for text in decoys(draw)]
    return made


# ---------------------------------------------------------------- scores


@dataclass(slots=True)
class Score:
    """Counts of a type: true spans that were found, found spans that are true, and all of each."""

    labels: int = 0
    found: int = 0
    hits: int = 0
    touched: int = 0
    touching: int = 0
    misses: list[str] = field(default_factory=list)

    def f1(self, *, loose: bool = False) -> tuple[float, float, float]:
        """Precision, recall and F1, of exact spans or of those that overlap."""
        right, recalled = (self.touching, self.touched) if loose else (self.hits, self.hits)
        precision = right / self.found if self.found else 1.0
        recall = recalled / self.labels if self.labels else 1.0
        total = precision + recall
        return precision, recall, 2 * precision * recall / total if total else 0.0


Found = Callable[[str], Iterable[tuple[int, int, str]]]


def scored(texts: Iterable[Labelled], finder: Found) -> dict[str, Score]:
    """Type -> its score, exact and by overlap."""
    scores: dict[str, Score] = {}
    for item in texts:
        found = set(finder(item.text))
        labels = {(label.start, label.end, label.type) for label in item.labels}
        for type_ in {span[2] for span in found | labels}:
            score = scores.setdefault(type_, Score())
            mine = [span for span in found if span[2] == type_]
            true = [span for span in labels if span[2] == type_]
            score.found += len(mine)
            score.labels += len(true)
            score.hits += len(set(mine) & set(true))
            score.touched += sum(any(overlap(t, m) for m in mine) for t in true)
            score.touching += sum(any(overlap(t, m) for t in true) for m in mine)
            score.misses += [f"missed {shown(item.text, s)}" for s in set(true) - set(mine)]
            score.misses += [f"wrong  {shown(item.text, s)}" for s in set(mine) - set(true)]
    return scores


def overlap(one: tuple[int, int, str], other: tuple[int, int, str]) -> bool:
    """Do two spans share a character?"""
    return one[0] < other[1] and other[0] < one[1]


def shown(text: str, span: tuple[int, int, str]) -> str:
    """A span in what stands around it."""
    start, end, _ = span
    return repr(f"{text[max(0, start - 40) : start]}>>{text[start:end]}<<{text[end : end + 20]}")


def joined(scores: Mapping[str, Score], types: Sequence[str]) -> Score:
    """The counts of several types together."""
    total = Score()
    for name in ("labels", "found", "hits", "touched", "touching"):
        setattr(total, name, sum(getattr(scores[t], name) for t in types if t in scores))
    return total


def ours(types: Iterable[str], ner: Any = None) -> Found:  # Any: a loaded pipeline
    """What finewright finds of these types."""
    wanted: Any = frozenset(types)

    def spans(text: str) -> Iterator[tuple[int, int, str]]:
        for span in find(text, wanted, ner):
            yield span.start, span.end, span.type

    return spans


# ---------------------------------------------------------------- the report


def main() -> None:
    options = parse()
    seed, locales = REPORTED
    texts = texts_of(presidio_templates(), seed, locales, options.texts)
    spans = Counter(label.type for item in texts for label in item.labels)
    print(f"{len(texts)} texts, {sum(spans.values())} spans, seed {seed}, {', '.join(locales)}\n")
    ner = None
    if options.ner:
        from finewright.guard.privacy.names import pipeline

        ner = pipeline(options.ner)
    show_personal(scored(texts, ours([*STRUCTURED, *LOOSE], ner)), options.misses)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=3000)
    parser.add_argument("--misses", type=int, default=0, help="show so many of each type")
    parser.add_argument("--ner", type=Path, default=None, help="folder of a spaCy pipeline")
    return parser.parse_args()


def show_personal(scores: Mapping[str, Score], misses: int) -> None:
    print(f"{'':24} {'spans':>6} {'precision':>9} {'recall':>7} {'F1':>6}")
    rows = [*STRUCTURED, *LOOSE]
    for type_ in rows:
        score = scores.get(type_, Score())
        print(line(type_, score, loose=False))
        if type_ in LOOSE:
            print(line(f"{type_}, overlapping", score, loose=True))
        for miss in sorted(score.misses)[:misses]:
            print(f"    {miss}")
    print(line("structured types", joined(scores, STRUCTURED), loose=False))
    print(line("all types", joined(scores, rows), loose=False) + "\n")


def line(name: str, score: Score, *, loose: bool) -> str:
    precision, recall, f1 = score.f1(loose=loose)
    return f"{name:24} {score.labels:6} {precision:9.3f} {recall:7.3f} {f1:6.3f}"


if __name__ == "__main__":
    main()
