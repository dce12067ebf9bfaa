"""Identity numbers of every country, valid to python-stdnum, in sentences of the country's language.

Numbers of Hungary, Luxembourg, Malta and Kazakhstan, and Russia's СНИЛС, which the library has not, follow
the rules by their own hand."""
# ruff: noqa: RUF001

import random
from collections.abc import Callable, Mapping
from datetime import date
from importlib import import_module
from typing import NamedTuple

from stdnum import luhn, verhoeff

Draw = random.Random
_SIGNS = {
    "#": "0123456789", "@": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "%": "0123456789ABCDEFHJKLMNPRSTUVWXY",
    "^": "123456789",
}  # fmt: skip


class IdKind(NamedTuple):
    """How values are drawn, the sentences that they stand in, and whether a check digit shows a slip."""

    draw: Callable[[Draw], str]
    texts: tuple[str, ...]
    is_checked: bool = True


def drawn(form: str, draw: Draw) -> str:
    """The form with signs drawn: # a digit, @ a letter, % one of Finland's, {y} {m} {d} of a day."""
    day = date(draw.randrange(1935, 1999), draw.randrange(1, 13), draw.randrange(1, 29))
    form = form.format(y=f"{day:%y}", Y=f"{day:%Y}", m=f"{day:%m}", d=f"{day:%d}")
    return "".join(draw.choice(_SIGNS[c]) if c in _SIGNS else c for c in form)


def valid(module: str, form: str) -> Callable[[Draw], str]:
    """Draws until the module of python-stdnum takes the number."""
    is_valid = import_module(f"stdnum.{module}").is_valid

    def draw_one(draw: Draw) -> str:
        while True:
            number = drawn(form, draw)
            if is_valid(number):
                return number

    return draw_one


def _hu_tax(draw: Draw) -> str:
    body = drawn("8########", draw)
    check = sum(i * int(c) for i, c in enumerate(body, 1)) % 11
    return f"{body}{check}" if check < 10 else _hu_tax(draw)  # noqa: PLR2004


def _hu_taj(draw: Draw) -> str:
    body = drawn("^#######", draw)
    odd, even = sum(map(int, body[0::2])), sum(map(int, body[1::2]))
    number = f"{body}{(3 * odd + 7 * even) % 10}"
    return draw.choice([number, f"{number[:3]} {number[3:6]} {number[6:]}"])


def _hu_person(draw: Draw) -> str:
    day = drawn("{Y}{m}{d}", draw)
    if day >= "1997":
        return _hu_person(draw)
    body = draw.choice("12") + day[2:] + drawn("###", draw)
    check = sum(i * int(c) for i, c in enumerate(body, 1)) % 11
    return f"{body[0]} {body[1:7]} {body[7:]}{check}" if check < 10 else _hu_person(draw)  # noqa: PLR2004


def _luxembourg(draw: Draw) -> str:
    body = drawn("{Y}{m}{d}###", draw)
    return body + luhn.calc_check_digit(body) + verhoeff.calc_check_digit(body)


def _swiss(draw: Draw) -> str:
    return valid("ch.ssn", "756.####.####.##")(draw)


def _niss(draw: Draw) -> str:
    body = drawn("1#########", draw)
    primes = (29, 23, 19, 17, 13, 11, 7, 5, 3, 2)
    return f"{body}{9 - sum(int(c) * p for c, p in zip(body, primes, strict=True)) % 10}"


def _snils(draw: Draw) -> str:
    body = drawn("1########", draw)
    check = sum((9 - i) * int(c) for i, c in enumerate(body)) % 101 % 100
    return f"{body[:3]}-{body[3:6]}-{body[6:]} {check:02}"


def _kazakh(draw: Draw) -> str:
    body = drawn("{y}{m}{d}3####", draw)
    check = sum(i * int(c) for i, c in enumerate(body, 1)) % 11
    return f"{body}{check}" if check < 10 else _kazakh(draw)  # noqa: PLR2004


KINDS: Mapping[str, IdKind] = {
    "AT": IdKind(valid("at.vnr", "^### {d}{m}{y}"), ("SVNR: {}", "Meine Sozialversicherungsnummer ist {}.")),
    "BE": IdKind(valid("be.nn", "{y}.{m}.{d}-###.##"),
        ("rijksregisternummer {}", "Mon numéro national est {}.")),
    "BG": IdKind(valid("bg.egn", "{y}{m}{d}####"), ("ЕГН: {}", "Моят ЕГН е {}, моля.")),
    "BG foreigner": IdKind(valid("bg.pnf", "##########"), ("ЛНЧ {}",)),
    "CA": IdKind(valid("ca.sin", "1## ### ###"), ("SIN: {}", "My social insurance number is {}.")),
    "CH": IdKind(_swiss, ("AHV-Nummer {}", "Mein Ausweis, {}, ist weg.")),
    "CY": IdKind(valid("cy.vat", "0#######@"), ("TIC: {}", "Ο αριθμός φορολογικού μητρώου μου είναι {}.")),
    "CZ": IdKind(valid("cz.rc", "{y}{m}{d}/####"), ("rodné číslo: {}", "Moje rodné číslo je {}.")),
    "DE": IdKind(valid("de.idnr", "^##########"),
        ("Steuer-ID: {}", "Meine Steueridentifikationsnummer lautet {}.")),
    "DK": IdKind(valid("dk.cpr", "{d}{m}{y}-####"), ("CPR: {}", "Mit CPR-nummer er {}."), is_checked=False),
    "EE": IdKind(valid("ee.ik", "3{y}{m}{d}####"), ("isikukood: {}", "Minu isikukood on {}.")),
    "ES": IdKind(valid("es.dni", "########@"), ("DNI {}", "Mi DNI es el {}, gracias.")),
    "ES foreigner": IdKind(valid("es.nie", "X#######@"), ("NIE: {}", "mi número de extranjero {} caduca")),
    "FI": IdKind(valid("fi.hetu", "{d}{m}{y}-###%"), ("henkilötunnus {}", "Tunnukseni on {}.")),
    "FR": IdKind(valid("fr.nir", "1{y}{m}##########"), ("NIR {}", "Mon numéro de sécurité sociale : {}")),
    "GB": IdKind(lambda d: drawn("AB######C", d), ("NI number {}", "my nino is {}"), is_checked=False),
    "GB health": IdKind(valid("gb.nhs", "### ### ####"), ("NHS number: {}", "His NHS number is {}.")),
    "GR": IdKind(valid("gr.amka", "{d}{m}{y}#####"), ("ΑΜΚΑ: {}", "Ο ΑΜΚΑ μου είναι {}.")),
    "GR tax": IdKind(valid("gr.vat", "^########"), ("ΑΦΜ: {}", "Το ΑΦΜ μου είναι {}.")),
    "HR": IdKind(valid("hr.oib", "^##########"), ("OIB: {}", "Moj OIB je {}.")),
    "HU tax": IdKind(_hu_tax, ("adóazonosító jel: {}", "Az adóazonosító jelem {}.")),
    "HU health": IdKind(_hu_taj, ("TAJ szám: {}", "A TAJ számom {}.")),
    "HU": IdKind(_hu_person, ("személyi szám: {}", "A személyi azonosítóm {}.")),
    "IE": IdKind(valid("ie.pps", "#######@A"), ("PPS number: {}", "My PPSN is {}.")),
    "IN": IdKind(valid("in_.aadhaar", "^### #### ####"), ("Aadhaar: {}", "My Aadhaar card number is {}.")),
    "IN tax": IdKind(lambda d: drawn("@@@P@####@", d),
        ("PAN: {}", "My PAN card number is {}."), is_checked=False),
    "IT": IdKind(valid("it.codicefiscale", "RSSMRA{y}A{d}H501@"),
        ("codice fiscale {}", "Il mio codice è {}.")),
    "LT": IdKind(valid("lt.asmens", "3{y}{m}{d}####"), ("asmens kodas: {}", "Mano asmens kodas yra {}.")),
    "LU": IdKind(_luxembourg, ("matricule: {}", "Mon matricule national est {}.")),
    "LV": IdKind(valid("lv.pvn", "{d}{m}{y}-1####"), ("personas kods: {}", "Mans personas kods ir {}.")),
    "MT": IdKind(lambda d: drawn("#######M", d),
        ("ID card number: {}", "Il-karta tal-identità tiegħi hija {}."), is_checked=False),
    "NL": IdKind(valid("nl.bsn", "^########"), ("BSN {}", "Mijn burgerservicenummer is {}.")),
    "NO": IdKind(valid("no.fodselsnummer", "{d}{m}{y} #####"),
        ("fødselsnummer: {}", "Fødselsnummeret mitt er {}.")),
    "PL": IdKind(valid("pl.pesel", "{y}{m}{d}#####"), ("PESEL {}", "Mój numer PESEL to {}.")),
    "PT": IdKind(valid("pt.nif", "2########"), ("NIF {}", "O meu número de contribuinte é {}.")),
    "PT card": IdKind(valid("pt.cc", "######## # @@#"), ("cartão de cidadão: {}",)),
    "PT social": IdKind(_niss, ("NISS: {}", "O meu número de segurança social é {}.")),
    "RO": IdKind(valid("ro.cnp", "1{y}{m}{d}12####"), ("CNP: {}", "CNP-ul meu este {}.")),
    "SE": IdKind(valid("se.personnummer", "{y}{m}{d}-####"), ("personnummer {}", "Mitt personnummer är {}.")),
    "SI": IdKind(valid("si.emso", "{d}{m}9{y}50####"), ("EMŠO: {}", "Moj EMŠO je {}.")),
    "SI tax": IdKind(valid("si.ddv", "^#######"), ("davčna številka: {}", "Moja davčna številka je {}.")),
    "SK": IdKind(valid("sk.rc", "{y}{m}{d}/####"), ("rodné číslo {}", "Moje rodné číslo: {}.")),
    "BR": IdKind(valid("br.cpf", "###.###.###-##"), ("CPF: {}", "Meu CPF é {}.")),
    "AR": IdKind(valid("ar.cuit", "20-########-#"), ("CUIL: {}", "Mi CUIL es {}.")),
    "AU": IdKind(valid("au.tfn", "### ### ###"), ("TFN: {}", "My tax file number is {}.")),
    "CL": IdKind(valid("cl.rut", "1#.###.###-#"), ("RUT: {}", "Mi RUT es {}.")),
    "CN": IdKind(valid("cn.ric", "110101{Y}{m}{d}####"), ("身份证号码{}", "我的身份证号是{}吗")),
    "IL": IdKind(valid("il.idnr", "#########"), ("תעודת זהות: {}", "my Israeli ID number is {}.")),
    "JP": IdKind(valid("jp.in_", "#### #### ####"), ("個人番号: {}", "マイナンバーは{}です")),
    "KR": IdKind(valid("kr.rrn", "{y}{m}{d}-1######"), ("주민등록번호: {}", "주민등록번호는 {}입니다")),
    "KZ": IdKind(_kazakh, ("ИИН: {}", "Мой ИИН {}.")),
    "MX": IdKind(valid("mx.curp", "BOXW{y}{m}{d}HNERXN##"), ("CURP: {}", "Mi CURP es {}.")),
    "RU": IdKind(_snils, ("СНИЛС: {}", "Мой СНИЛС {}.")),
    "RU tax": IdKind(valid("ru.inn", "^###########"), ("ИНН: {}", "Мой ИНН {}.")),
    # The third digit of Thailand has the weight 11, so that no slip in it is shown.
    "TH": IdKind(valid("th.pin", "3-####-#####-##-#"),
        ("เลขประจำตัวประชาชน {}", "บัตรประชาชน: {}"), is_checked=False),
    "TR": IdKind(valid("tr.tckimlik", "^##########"), ("T.C. kimlik no: {}", "TCKN {}")),
    "UA": IdKind(valid("ua.rntrc", "##########"), ("РНОКПП: {}", "мій ідентифікаційний код {}")),
    "VN": IdKind(lambda d: drawn("0010########", d),
        ("CCCD: {}", "số căn cước của tôi là {}."), is_checked=False),
    "ZA": IdKind(valid("za.idnr", "{y}{m}{d}####08#"), ("ID number: {}", "My SA ID number is {}.")),
    "US": IdKind(valid("us.ssn", "###-##-####"),
        ("SSN: {}", "her social security number is {}."), is_checked=False),
}  # fmt: skip


def slipped(value: str, draw: Draw) -> str:
    """The value with one digit wrong."""
    place = draw.choice([i for i, character in enumerate(value) if character.isdigit()])
    other = draw.choice([digit for digit in "0123456789" if digit != value[place]])
    return value[:place] + other + value[place + 1 :]
