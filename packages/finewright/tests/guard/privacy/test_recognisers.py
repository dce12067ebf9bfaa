"""Every recogniser of the core through the suite of recognisers; values are published examples or made up."""

import time

import pytest

from finewright.conformance.recogniser import RecogniserConformance
from finewright.guard.privacy.encodings import base58_text
from finewright.guard.privacy.find import find
from finewright.schema.privacy import FoundType

MNEMONIC = "legal winner thank year wave sausage worth useful legal winner thank yellow"
JWT = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0."
    "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
)
PEM = "-----BEGIN RSA PRIVATE KEY-----\n{0}\n{0}\n-----END RSA PRIVATE KEY-----".format(
    "MIIEpAIB" * 8
)
RANDOM = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0z"
WIF = "KwdMAjGmerYanjeui5SHS7JkmpZvVipYvB2LJGU1ZxJwYvP98617"
# RFC 8032, section 7.1, test 1: the secret key and its public key.
PAIR = bytes.fromhex(
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
)
KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"


class TestInternet(RecogniserConformance):
    name = "internet"
    marked = [
        ("write to «jürgen.o'neil+x@mail.example.org».", "email"),
        ("mail='«ann@example.com»'", "email"),
        ("host «203.0.113.9»:80", "ip"),
        ("host «2001:db8:85a3::8a2e:370:7334» up", "ip"),
        ("(see «https://example.org/a_(b)?c=1»).", "url"),
        ("write to «anna [at] example [dot] com» please", "email"),
        ("Kontakt: «anna.weber(at)firma.de»", "email"),
        ("an «anna {ät} firma {punkt} de»", "email"),
    ]


class TestPhones(RecogniserConformance):
    name = "phones"
    marked = [
        ("call «+49 (0)30 123456» today", "phone"),
        ("call «(415) 555-2671 x12»", "phone"),
        ("Tel.: «030 1234567»", "phone"),
        ("mon numéro: «06 12 34 56 78»", "phone"),
        ("Mój numer to «512 714 639».", "phone"),
        ("Llámame al «612 54 57 67».", "phone"),
        ("Teléfono: «612 04 48 57»", "phone"),
    ]


class TestBanking(RecogniserConformance):
    name = "banking"
    marked = [
        ("IBAN «DE89 3704 0044 0532 0130 00»,", "iban"),
        ("iban «gb82west12345698765432»", "iban"),
        ("card «4111-1111-1111-1111»", "card"),
        ("paid with «378282246310005».", "card"),
    ]


class TestBankNumbers(RecogniserConformance):
    name = "bank_numbers"
    marked = [
        ("My sort code is «12-34-56», thanks", "sort_code"),
        ("Sort Code: «200415»", "sort_code"),
        ("BLZ «100 500 00», Konto folgt", "sort_code"),
        ("routing number «021000021»", "sort_code"),
        ("the account number is «12345678».", "account_number"),
        ('{"account_number": "«00012345678»"}', "account_number"),
        ("send it to my account «87654321» today", "account_number"),
        ("Kontonummer lautet «1234 5678 90»", "account_number"),
        ("mon numéro de compte est «00012345678»", "account_number"),
        ("nº de cuenta: «0200051332»", "account_number"),
        ("rekeningnummer «0417164300»", "account_number"),
        ("numer rachunku «61109010140000071219»", "account_number"),
        ("номер счёта «40817810099910004312»", "account_number"),
        ("PIN: «4711»", "pin"),
        ("meine Geheimzahl ist «4711»!", "pin"),
        ("code secret : «204816»", "pin"),
        ("mi clave secreta es «9021»", "pin"),
        ("пин-код «8812»", "pin"),
        ("CVV «123», expires in May", "cvv"),
        ("security code is «9014»", "cvv"),
        ("Kartenprüfnummer: «045»", "cvv"),
        ("le cryptogramme visuel est «311»", "cvv"),
        ("BIC: «DEUTDEFF500»", "bic"),
        ("SWIFT code «NWBKGB2L».", "bic"),
        ("customer number «1234567»", "customer_number"),
        ("customer_id=«AB-123456»", "customer_number"),
        ("Kundennummer: «7654321»", "customer_number"),
        ("numéro de client «445566»", "customer_number"),
        ("お客様番号\uff1a«8800123»", "customer_number"),
    ]
    near_misses = [
        "order number 12345678",
        "invoice 20231105 of 12.03.2024 over 1,234.56",
        "the account balance is 1234567.50",
        "account opened 2023-11-05, 1234567 in total",
        "the PIN has 4 digits and 3 tries",
        "PIN changed on 12.03.2024, PIN 2024-03-12",
        "pin 3 of the connector carries 5 V",
        "CVV of 3 digits, 120 cards",
        "security code 12.5 % of all",
        "customer number 1,234.56",
        "the customer numbers grew to 120000",
        "our customers paid 120000",
        "sort code 12-34-56-78-90",
        "routing number 021000022",
        "routing code 12345",
        "sort codes in 2024",
        "SWIFT PAYMENTS are fast",
        "bic TRANSFER",
        "account number €12345678",
        "account no 12345678 €",
        "Rechnung 20240017, Kunde seit 20190401",
        "rekening 2023001, factura 20240017",
        "PINs 1234 and others",
    ]


class TestNationalIds(RecogniserConformance):
    name = "national_ids"
    marked = [
        ("Steuer-ID: «86095742719»", "national_id"),
        ("his SSN is «536-90-4399»", "national_id"),
        ("My SIN is «046 454 286»", "national_id"),
        ("DNI «12345678Z»", "national_id"),
        ("nato, «RSSMRA85T10A562S»", "national_id"),
        ("NI number «AB 12 34 56 C»", "national_id"),
        ("«53060357982» (numer PESEL)", "national_id"),
        ("NIR «2 84 03 2A 123 456 97»", "national_id"),
    ]


class TestBirths(RecogniserConformance):
    name = "births"
    marked = [
        ("born on «12 March 1985»", "date_of_birth"),
        ("Geburtsdatum: «03.04.1980»", "date_of_birth"),
        ("née le «3 août 1991»", "date_of_birth"),
        ("her birthday, «1985-03-12»", "date_of_birth"),
        ("Дата рождения: «05.06.1989»", "date_of_birth"),
        ("出生日期\uff1a«1989年6月5日»。", "date_of_birth"),
    ]


class TestNames(RecogniserConformance):
    name = "names"
    marked = [
        ("Dear Mr. «Xolani Abernathyx», thanks", "name"),
        ("I met «Anna Weber» there", "name"),
    ]


class TestAddresses(RecogniserConformance):
    name = "addresses"
    marked = [
        ("at «1600 Pennington Parkway, Springfield, CA 94043»", "address"),
        ("in der «Beethovenstraße 12, 53115 Bonn»", "address"),
        ("He lives at «221B Baker Street, London NW1 6XE»", "address"),
        ("to «10 Downing Street, London, SW1A 2AA»", "address"),
        ("an «4 Rose Lane, Stoke on Trent ST4 2AA».", "address"),
        ("Antwort an «Postfach 12 34, 8001 Zürich», danke", "address"),
        ("to «P.O. Box 1234, Springfield, IL 62701»", "address"),
    ]


class TestTokens(RecogniserConformance):
    name = "tokens"
    marked = [
        (f"key «AKIA{'IOSFODNN7QWERTYU'}» leaked", "cloud_key"),
        (f"token «ghp_{RANDOM + RANDOM[:5]}»", "forge_token"),
        (f"token «glpat-{RANDOM[:20]}»", "forge_token"),
        (f"«xoxb-{'123456789012-' * 2}a1B2c3D4»", "chat_token"),
        (f"«123456789:AA{'aB3_x' * 6}aBc»", "chat_token"),
        (f"«sk_live_{RANDOM}»", "payment_key"),
        (f"«sk-ant-api03-{RANDOM}-{RANDOM}»", "model_key"),
        (f"«npm_{RANDOM + RANDOM[:5]}»", "package_token"),
        (f"«pypi-AgEIcHlwaS5vcmc{RANDOM * 3}»", "package_token"),
        (f"«SG.{RANDOM[:22]}.{RANDOM}»", "service_key"),
        (f"Bearer «{JWT}»", "jwt"),
        (f"key: «{PEM}»!", "private_key"),
        (f"swept «{WIF}».", "wallet_key"),
        ("https://mainnet.«infura.io/v3/4f1a0c3b5d7e9f2468ace013579bdf42»", "service_key"),
        (f"https://api.telegram.org/bot«123456789:AA{'aB3_x' * 6}aBc»/getMe", "chat_token"),
    ]


class TestKeys(RecogniserConformance):
    name = "keys"
    marked = [
        (f"my private key: «0x{KEY}»", "ethereum_key"),
        (f'new ethers.Wallet("«0x{KEY}»")', "ethereum_key"),
        (f"vm.startBroadcast(«0x{KEY}»);", "ethereum_key"),
        (f"DEPLOYER_PK=«{KEY}»", "ethereum_key"),
        (f"cast send --private-key «{KEY}» x", "ethereum_key"),
        (f'"«0x{KEY}»".parse::<LocalWallet>()', "ethereum_key"),
        (f"id: «{list(PAIR)}»", "wallet_key"),
        (f"«{base58_text(PAIR)}»", "wallet_key"),
        (f"solana keypair «{list(range(64))}»", "wallet_key"),
    ]
    near_misses = [
        f"private key of the tx with hash 0x{KEY}",
        f"Which private key signed 0x{KEY}?",
        f'keccak256("private key") = 0x{KEY}',
        f"keccak256 of it: 0x{KEY}, vm.sign(key, 0x{KEY})",
        f"a private key (32 bytes), {KEY}ab",
        f"PRIVATE_KEY=0x{'ac0974bec39a17e36ba4a6b4d238ff94'}4bacb478cbed5efcae784d7bf4f2ff80",
        f"pixels {list(range(64))}",
        f"signature {base58_text(PAIR[::-1])}",
    ]


class TestMnemonics(RecogniserConformance):
    name = "mnemonics"
    marked = [
        (f"seed: «{MNEMONIC}».", "mnemonic"),
        (f'SEED="«{MNEMONIC.upper()}»"', "mnemonic"),
        ('words: ["«' + '","'.join(MNEMONIC.split()) + '»"]', "mnemonic"),
        (
            "«" + "\n".join(f"{i}. {w}" for i, w in enumerate(MNEMONIC.split()))[3:] + "»",
            "mnemonic",
        ),
    ]
    marked += [
        (f"for «{MNEMONIC}» to open my ledger", "mnemonic"),
        (f"PRIVATE «{MNEMONIC}» END", "mnemonic"),
        (f"Import «account {MNEMONIC}» then unlock", "mnemonic"),
        (f"this word list apple lemon «{MNEMONIC}»: keep it", "mnemonic"),
    ]
    near_misses = [
        "abandon ability able about above absent absorb abstract absurd abuse access accident",
        f"apple orange lemon {MNEMONIC} tomato",
        "the legal winner may thank the year while the wave is worth a useful sausage",
        "seed: test test test test test test test test test test test junk",
    ]


class TestAssigned(RecogniserConformance):
    name = "assigned"
    marked = [
        ("«postgres://app:s3cr3tpw@db.internal:5432/x»", "connection_string"),
        ("password = '«hunter2!x»'", "password"),
        ("Mein Passwort lautet «Sommer2024», bitte", "password"),
        ("Пароль: «Zx9!kdP2mm»", "password"),
        ("密码\uff1a«Zx9!kdP2mm»\uff0c谢谢", "password"),
        (f"api_key: «{RANDOM}»", "secret_value"),
        (f"let apiKey: string = `«{RANDOM}»`;", "secret_value"),
        (f'variable "api_key" {{\n  type = string\n  default = "«{RANDOM}»"\n}}', "secret_value"),
        ("| password | «qPqc2a%81FEd2Q*» |", "password"),
        ("./deploy --db-password «DRkd24#lq2AhIa%» --network prod", "password"),
        ("ValueError: bad password '«pR9tvE#645g67r*»'", "password"),
        ("AZURE_STORAGE_KEY=«Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZmdo»", "secret_value"),
        (f"CACHE_TOKEN=«{RANDOM}»", "secret_value"),
        (f"sort secret = «{RANDOM}»", "secret_value"),
        (f"tomorrow key: «{RANDOM}»", "secret_value"),
        ("token = «Q1zPgyAP3oPr6anQpLeV7GxBLtoVgxJMJWZCYRUd5qH»", "secret_value"),
    ]
    near_misses = [
        "Idempotency-Key: 337617d7-d544-5bf7-5c86-bd280e549588",
        "cache_key = 'd3b07384d113edec49eaa6238ad5ff00'",
        "The mint of the token is GoYFqQEtgELYQxdYyB4idE4ryPt5rxKvRcVkuyKtwjHk",
        "| password | string |",
        "| password | varchar50 |",
        "| Name | Password | Email2Address |",
        'echo -n "$PASSWORD" | base64',
        "echo password | sha256sum",
        "grep -E 'passwd|session1|x' f",
        "psql --no-password mydb01_x",
        "ansible-playbook --ask-vault-password site1.yml",
        "login --password --user2",
        "the password env:PASS1 and the password elephant1",
        "input('password '+user1)",
        "the password 'field_2' is missing",
        "passwords again: chapter12",
        f"redisCacheKey = '{RANDOM}'",
    ]


MARKED: list[tuple[str, FoundType]] = [
    example
    for of in RecogniserConformance.__subclasses__()
    if of.__module__ == __name__
    for example in of.marked
]


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        ("info@mail.example.org", "email"),
        ("info (at) example (dot) org", "email"),
        ("https://www.example.org", "url"),
        ("www.example.org", "url"),
        ("203.0.113.9", "ip"),
        ("DE89370400440532013000", "iban"),
        ("4111111111111111", "card"),
        ("postgres://svc:hR6tq9Zb2LmW@db.example.org:5432/app", "connection_string"),
        ("ghp_" + "8bJziRLhj8zAM0w7I0mJNs08EFRljYmvgXRG", "forge_token"),
        (MNEMONIC, "mnemonic"),
        (f"0x{KEY}", "ethereum_key"),
    ],
)
@pytest.mark.parametrize(
    ("before", "after"),
    [("\u79c1\u94a5\u662f", "\u8c22\u8c22"), ("\u79c1\u94a5\uff1a", "\uff0c\u8bf7")],
)
def test_a_value_beside_words_without_spaces_is_found_and_they_stay(value, type_, before, after):
    text = f"{before}{value}{after}"
    (span,) = find(text, {type_})
    assert text[span.start : span.end] == value


@pytest.mark.parametrize("size", range(90, 140))
def test_a_birth_is_found_wherever_another_word_of_birth_stands_before(size):
    text = f"born {'x ' * (size // 2)}{'y' * (size % 2)} geboren am 12.03.1985 in Bonn"
    (found,) = find(text, {"date_of_birth"})
    assert text[found.start : found.end] == "12.03.1985"


def test_a_long_table_of_numbers_takes_no_time():
    began = time.process_time()
    assert not find("12/" * 60_000, {"national_id"})
    assert time.process_time() - began < 2
