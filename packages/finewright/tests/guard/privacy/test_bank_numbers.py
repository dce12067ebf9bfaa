"""Numbers of bank customers in sentences written by hand: those that words were added for, and others that
chose nothing. Values are between « and », their types behind |."""

import pytest

from finewright.guard.privacy.find import find
from finewright.schema.privacy import BankType

LOOKED_AT = (
    "Hi, can you move money from sort code «20-00-00» account «55779911» please?|sort_code account_number",
    "It's Barclays, sort code: «200000», a/c no. «55779911»|sort_code account_number",
    "Account No: «00998877», Sort Code: «40 12 33»|account_number sort_code",
    "I entered my PIN («8123») twice and the machine kept the card|pin",
    "my pin number is «0042», why does it not work|pin",
    "The three digits on the back, CVV: «882»|cvv",
    "cvc code «119» exp 09/27|cvv",
    "please debit account ending, full account number «7745 1200 33»|account_number",
    "Meine Kontonummer ist «532013000» bei der BLZ «37040044»|account_number sort_code",
    "Kunden-Nr.: «4455667»|customer_number",
    "Kd.-Nr. «99887766», bitte um Rückruf|customer_number",
    "Die PIN meiner Karte lautet «7730»|pin",
    "Sicherheitscode der Karte: «553»|cvv",
    "Mon code secret est le «3344»|pin",
    "N° de compte «00020051332», banque 30004|account_number",
    "numéro client : «8899001»|customer_number",
    "Mi número de cuenta es «0200051332»|account_number",
    "el PIN de mi tarjeta es «6571»|pin",
    "código de seguridad: «219»|cvv",
    "Il mio numero di conto è «000012345678»|account_number",
    "Codice cliente «553321»|customer_number",
    "o número da conta é «12345678»|account_number",
    "mijn rekeningnummer is «417164300»|account_number",
    "klantnummer: «30201988»|customer_number",
    "numer klienta «7001234»|customer_number",
    "mój PIN to «9012»|pin",
    "mitt kontonummer är «8327912345»|account_number",
    "номер клиента: «5566778»|customer_number",
    "Account: «31926819» Sort: «60-16-13»|account_number sort_code",
    "ABA routing number is «122105155» and the account number is «1234567890»|sort_code account_number",
    "BSB «062-000» account «11223344»|sort_code account_number",
    "Our BIC is «COBADEFFXXX»|bic",
    "SWIFT: «BNPAFRPP»|bic",
    "client ID «AB 778812» wants a call|customer_number",
    "Customer reference number «60012345»|customer_number",
    "the security code on my card, «0917», was refused|cvv",
    "pin=«4821»&user=ann|pin",
    '{"pin": "«4821»", "cvv": "«321»"}|pin cvv',
    "暗証番号は«4821»です|pin",
    "账号\uff1a«6222020200112233445»|account_number",
)
UNSEEN = (
    "Transfer £200 from account «30145578», sort code «30-90-21», to my landlord|account_number sort_code",
    "sortcode «401276» acct «71935520»|sort_code account_number",
    "What do I do if somebody knows my PIN? It is «5591».|pin",
    "the new card PIN you sent is «2207» but the ATM says no|pin",
    "I typed PIN «4480» instead of «4408»|pin pin",
    "CVV2: «771»|cvv",
    "card verification value «4421»|cvv",
    "Bank account number: «6001 2233 44»|account_number",
    "my acct no is «0045129987»|account_number",
    "Bitte überweisen Sie auf Konto «7745123», BLZ «76026000»|account_number sort_code",
    "Kontonr. «1190223»|account_number",
    "Unsere Kundennummer bei Ihnen: «K-5512093»|customer_number",
    "Geheimzahl vergessen, alte war «9917»|pin",
    "CVC der Karte «308»|cvv",
    "le code confidentiel de ma carte est «6120»|pin",
    "numéro de compte «12345678901»|account_number",
    "n° client «0045512»|customer_number",
    "código secreto «7789»|pin",
    "mi número de cliente es «4419921»|customer_number",
    "numero conto «100000123456»|account_number",
    "codice di sicurezza «556»|cvv",
    "número do cliente: «99120034»|customer_number",
    "pincode van mijn pas is «3371»|pin",
    "rekeningnummer: «0001 2345 67»|account_number",
    "numer rachunku to «12345678901234567890»|account_number",
    "kundnummer «5523119»|customer_number",
    "mitt kontonummer: «81059912345»|account_number",
    "номер счета «40702810500000012345»|account_number",
    "пин код моей карты «1290»|pin",
    "客户号: «88012234»|customer_number",
    "账户号码是«6217001234567890»|account_number",
    "口座番号\uff1a«7654321»|account_number",
    "계좌번호는 «1002334455667»|account_number",
    "비밀번호: «8812»|pin",
    "swift/bic: «CHASUS33»|bic",
    "The BIC of my bank is «RBOSGB2L»|bic",
    "client number is «556712»|customer_number",
    "membership number «7100233»|customer_number",
    '{"sort_code": "«112233»", "account": "«44556677»", "customer_id": "«C12345678»"}'
    "|sort_code account_number customer_number",
    "bsb number: «033 547»|sort_code",
    "routing no. «071000013»|sort_code",
    "Your customer number ends in 4451, in full «900334451»|customer_number",
)
TYPES: tuple[BankType, ...] = (
    "sort_code", "account_number", "pin", "cvv", "bic", "customer_number",
)  # fmt: skip


def num_found(lines: tuple[str, ...]) -> tuple[int, int]:
    """How many values are found at their place by their type, and how many there are."""
    found = total = 0
    for line in lines:
        marked, _, types = line.rpartition("|")
        text, wanted = "", []
        for part in marked.split("«"):
            value, _, rest = part.rpartition("»")
            wanted += [(len(text), len(text) + len(value))] if value else []
            text += value + rest
        spans = {(span.start, span.end): span.type for span in find(text, TYPES)}
        found += sum(spans.get(at) == kind for at, kind in zip(wanted, types.split(), strict=True))
        total += len(wanted)
    return found, total


@pytest.mark.parametrize(("lines", "fewest"), [(LOOKED_AT, 47), (UNSEEN, 41)])
def test_numbers_are_found_in_sentences_of_thirteen_languages(
    lines: tuple[str, ...], fewest: int
) -> None:
    found, total = num_found(lines)
    assert total == 48
    assert found >= fewest


def test_a_short_answer_is_read_with_its_question() -> None:
    (span,) = find("4711", lead="And what is your PIN?")
    assert span[:3] == (0, 4, "pin")
    assert find("4711", lead="How many rows are there?") == ()
