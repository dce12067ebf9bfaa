"""Check digits against python-stdnum: drawn numbers of the right shape, valid ones, and those damaged."""

import random
from collections.abc import Callable
from importlib import import_module

import pytest
import stdnum.fr.nir
import stdnum.iban
import stdnum.it.codicefiscale
from faker import Faker
from tests.guard.privacy.values import IDS

from finewright.catalog.national_ids import identity_rules
from finewright.guard.privacy import checksums, national_checks, national_checks_world
from finewright.guard.privacy.banking import is_iban
from finewright.guard.privacy.find import find
from finewright.guard.privacy.national_ids import kinds

DRAWN = 3000
Check = Callable[[str], bool]
# Where the library looks at more than the number: at today's date, at which centuries gave out which numbers.
AGREE: dict[str, tuple[Check, str, str]] = {
    "AT": (national_checks.at_svnr, "at.vnr", "####{d}{m}{y}"),
    "BG": (national_checks.bg_egn, "bg.egn", "{y}{m}{d}####"),
    "BG foreigner": (national_checks.bg_lnch, "bg.pnf", "##########"),
    "BR": (national_checks.br_cpf, "br.cpf", "###########"),
    "CA": (national_checks.ca_sin, "ca.sin", "1########"),
    "CH": (national_checks.ch_ahv, "ch.ssn", "756##########"),
    "CY": (national_checks.cy_tic, "cy.vat", "########@"),
    "CZ": (national_checks.cz_rc, "cz.rc", "{y}{m}{d}####"),
    "DE": (national_checks.de_tax_id, "de.idnr", "###########"),
    "EE": (national_checks.baltic_code, "ee.ik", "3{y}{m}{d}####"),
    "ES": (national_checks.es_dni, "es.dni", "########@"),
    "ES foreigner": (national_checks.es_dni, "es.nie", "X#######@"),
    "FR": (national_checks.fr_nir, "fr.nir", "1##############"),
    "GB health": (national_checks.uk_nhs, "gb.nhs", "##########"),
    "GR": (national_checks.gr_amka, "gr.amka", "{d}{m}{y}#####"),
    "GR tax": (national_checks.gr_afm, "gr.vat", "#########"),
    "HR": (national_checks.hr_oib, "hr.oib", "###########"),
    "IE": (national_checks.ie_pps, "ie.pps", "#######@A"),
    "IE old": (national_checks.ie_pps, "ie.pps", "#######@"),
    "IN": (national_checks.in_aadhaar, "in_.aadhaar", "############"),
    "LT": (national_checks.baltic_code, "lt.asmens", "#{y}{m}{d}####"),
    "LV": (national_checks.lv_code, "lv.pvn", "{d}{m}{y}1####"),
    "NL": (national_checks.nl_bsn, "nl.bsn", "#########"),
    "PL": (national_checks.pl_pesel, "pl.pesel", "{y}{m}{d}#####"),
    "PT": (national_checks.pt_nif, "pt.nif", "#########"),
    "PT card": (national_checks.pt_cc, "pt.cc", "#########@@#"),
    "RO": (national_checks.ro_cnp, "ro.cnp", "1{y}{m}{d}######"),
    "SI": (national_checks.si_emso, "si.emso", "{d}{m}9{y}######"),
    "SI tax": (national_checks.si_tax, "si.ddv", "########"),
    "US": (national_checks.us_ssn, "us.ssn", "1########"),
    "AU": (national_checks_world.au_tfn, "au.tfn", "#########"),
    "AR": (national_checks_world.ar_cuil, "ar.cuit", "20########0"),
    "CL": (national_checks_world.cl_rut, "cl.rut", "1########"),
    "CN": (national_checks_world.cn_ric, "cn.ric", "110101{Y}{m}{d}####"),
    "IL": (national_checks_world.il_id, "il.idnr", "#########"),
    "JP": (national_checks_world.jp_my_number, "jp.in_", "############"),
    "KR": (national_checks_world.kr_rrn, "kr.rrn", "{y}{m}{d}1######"),
    "MX": (national_checks_world.mx_curp, "mx.curp", "BOXW{y}{m}{d}HNERXN##"),
    "RU": (national_checks_world.ru_inn, "ru.inn", "^##########0"),
    "TH": (national_checks_world.th_pin, "th.pin", "1############"),
    "TR": (national_checks_world.tr_kimlik, "tr.tckimlik", "^##########"),
    "UA": (national_checks_world.ua_rnokpp, "ua.rntrc", "##########"),
    "ZA": (national_checks_world.za_id, "za.idnr", "{y}{m}{d}####08#"),
    "Luhn": (checksums.luhn, "luhn", "################"),
    "Verhoeff": (checksums.verhoeff, "verhoeff", "############"),
}


@pytest.mark.parametrize("kind", AGREE)
def test_a_check_agrees_with_the_reference(kind: str) -> None:
    check, module, form = AGREE[kind]
    reference = import_module(f"stdnum.{module}")
    draw = random.Random(kind)  # noqa: S311
    numbers = [IDS.drawn(form, draw) for _ in range(DRAWN)]
    expected = [bool(reference.is_valid(number)) for number in numbers]
    assert any(expected)
    assert [check(number) for number in numbers] == expected


@pytest.mark.parametrize("name", IDS.KINDS)
def test_a_drawn_number_is_found_and_a_slip_is_not_called_one(name: str) -> None:
    kind, draw = IDS.KINDS[name], random.Random(name)  # noqa: S311
    values = [kind.draw(draw) for _ in range(30)]
    for text in kind.texts:
        assert [value for value in values if not _found(text, value)] == []
    if kind.is_checked:
        # One slip in a hundred makes a number of this or another kind; a rest of 10 in Czechia is written 0.
        slips = [IDS.slipped(value, draw) for value in values for _ in range(3)]
        assert sum(_found(kind.texts[0], slip) for slip in slips) <= len(slips) / 10


def _found(text: str, value: str) -> bool:
    return bool(find(text.replace("{}", value), {"national_id"}))


def test_every_kind_of_the_catalog_has_values_and_a_way_to_be_found() -> None:
    countries = {name.split()[0] for name in IDS.KINDS}
    assert {rule.country for rule in identity_rules().kinds} == countries
    assert len({kind.rule.check for kind in kinds()}) >= len(countries)


def test_ibans_pass_and_a_wrong_digit_is_seen() -> None:
    draw = random.Random(3)  # noqa: S311
    fake = Faker("de_DE")
    fake.seed_instance(3)
    numbers = [fake.iban() for _ in range(150)]
    assert all(is_iban(number) for number in numbers)
    for number in numbers:
        wrong = IDS.slipped(number, draw)
        assert is_iban(wrong) == bool(stdnum.iban.is_valid(wrong))


def test_the_italian_letter_is_the_reference_s() -> None:
    draw = random.Random(5)  # noqa: S311
    bodies = [IDS.drawn("@@@@@@##A##@###", draw) for _ in range(DRAWN)]
    letters = [stdnum.it.codicefiscale.calc_check_digit(body) for body in bodies]
    assert all(
        national_checks.it_codice_fiscale(body + letter)
        for body, letter in zip(bodies, letters, strict=True)
    )
    others = ["B" if letter == "A" else "A" for letter in letters]
    assert not any(
        national_checks.it_codice_fiscale(b + other)
        for b, other in zip(bodies, others, strict=True)
    )


def test_corsican_numbers_are_read_by_their_rule() -> None:
    number = "184032A123456"
    key = 97 - int(number.replace("2A", "19")) % 97
    assert national_checks.fr_nir(f"{number}{key:02}")
    assert stdnum.fr.nir.is_valid(f"{number}{key:02}")
    assert not national_checks.fr_nir(f"{number}{key % 97 + 1:02}")


@pytest.mark.parametrize(
    ("number", "is_nino"),
    [("AB123456C", True), ("ZZ123456A", False), ("DA123456A", False), ("AB123456E", False)],
)
def test_a_nino_is_told_by_its_letters(number: str, is_nino: bool) -> None:
    assert national_checks.uk_nino(number) is is_nino
