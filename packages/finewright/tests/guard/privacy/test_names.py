"""Names and addresses as people of many countries write them, and what only looks like one."""

import pytest

from finewright.guard.privacy.find import find
from finewright.guard.privacy.name_features import words_of


def _found(text: str, type_: str) -> list[str]:
    return [
        text[span.start : span.end]
        for span in find(text, {"name", "address"})
        if span.type == type_
    ]


# Written in the six languages of the data door; no sentence of the tagger's training.
@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            "Could you forward this to Siobhan Kavanagh? Thanks.",
            ["Siobhan Kavanagh"],
        ),
        ("Laut Jürgen Oberhäuser kam die Ware am Dienstag an.", ["Jürgen Oberhäuser"]),
        ("Madame Lefebvre a vu Thierry Beaumont à Paris.", ["Lefebvre", "Thierry Beaumont"]),
        ("Le escribe Ximena Zubizarreta, gracias.", ["Ximena Zubizarreta"]),
        ("Mi chiamo Ludovica Brambilla.", ["Ludovica Brambilla"]),
        ("Met vriendelijke groet,\nJoost van den Berg", ["Joost van den Berg"]),
        ("It was signed by John F. Kowalczyk on Monday.", ["John F. Kowalczyk"]),
        ("Anna's report was late.", ["Anna"]),
        ("Hola, me llamo José García López y quiero pagar.", ["José García López"]),
        ("Меня зовут Иван Петров", ["Иван Петров"]),
        ("Спасибо, Иван.", ["Иван"]),
        ("La victoire de Jacques Chirac, face à lui.", ["Jacques Chirac"]),
        ("Meine Tochter Leonie ist krank.", ["Leonie"]),
        ("Ich heiße Jens vom Brocke.", ["Jens vom Brocke"]),
        ("Frau Maria zur Mühlen rief an.", ["Maria zur Mühlen"]),
        ("Karl Freiherr vom Stein kam.", ["Karl Freiherr vom Stein"]),
        ("The key is [IBAN] Mueller", ["Mueller"]),
        ("Kundin Meier rief an", ["Meier"]),
        ("Ich war dort, und Frau Zrbauerle sagte nichts.", ["Zrbauerle"]),
    ],
)
def test_a_name_is_found_whole(text: str, names: list[str]) -> None:
    assert _found(text, "name") == names


@pytest.mark.parametrize(
    "text",
    [
        "The Premium Plan includes Google Drive and Phone Support in New York.",
        "Bitte öffnen Sie die Einstellungen und wählen Sie Konto.",
        "Monday, March 4: see Terms of Service, Section 3.",
        "Bonjour, je voudrais annuler ma commande.",
        "Stichting Kowalczyk and Brambilla & Zonen are firms, Kowalczyk GmbH too.",
        "IBAN [IBAN], born on [DATE_OF_BIRTH]",
        "Der Rubel zum Dollar fällt.",
        "Sohn Gottes",
        "Die Mutter Natur ist schön",
        "Use the Patient Portal to log in.",
        "Restart Chrome; a Samsung Galaxy is on the wall.",
        "My IBAN is on file; HTTP and JSON are words.",
        "Sehr geehrte Damen und Herren,\nich brauche eine Auskunft.",
        "Die Gebühr gilt z.B. für Überweisungen.",
        "Wir haben neue Zinsen, z.B. für Kredite.",
        "Die Überweisung der Miete ist da.",
        "Please close your Premier Saver account today.",
        "nothing in capitals here",
        "",
    ],
)
def test_what_only_looks_like_a_name(text: str) -> None:
    assert _found(text, "name") == []


@pytest.mark.parametrize(
    "address",
    [
        "22B Derwent Parade, South Ockendon RM15 5EE",
        "15-17 Union Terrace, Aberdeen AB10 1NJ",
        "100 Queen W, Toronto ON M5H 2N2",
        "5276 Old Mill Rd NE, Bainbridge Island, WA 98110",
        "Av. Reforma 12, Col. Centro, 03940 Puebla",
        "Karu põik 61, 80098 Pärnu", "Turjaška 115, 3332 Rečica", "Bavorovská 788, 384 73 Stachy",
        "Csabai kapu 60., 1038 Budapest", "Kringlan 66, 107 Reykjavík", "Östbygatan 25, 312 18 LAHOLM",
        "40 rue des six frères Ruellan, 44230 Tours", "Ermou 15, Athina 105 63",
        "Brīvības iela 1, Rīga, LV-1010", "12 MG Road, Bengaluru 560001",
        "ul. Marszałkowska 10/5, 00-001 Warszawa", "Reyes Católicos 75, 11130 Cádiz",
    ],
)  # fmt: skip
def test_an_address_is_found_by_its_order_in_any_language(address: str) -> None:
    assert _found(f"I live at {address}. Thanks", "address") == [address]
    assert _found(f"Ship to {address}\nThanks", "address") == [address]


@pytest.mark.parametrize(
    "text",
    [
        "During 1996 it was sold, and since Spring 2007 it is not.",
        "2019 World Cup, Qatar 2022",
        "Section 5 Fire Safety, EN 13501", "Order 12 Wireless Mouse, SKU B2B 4C4",
        "Buy 2 Large Pizzas, OK 12345?",
        "Seite 12, 1500 Euro", "see Section 12, Article 12345", "In Kapitel 3, 1945 Berlin",
        "On March 12, 2024 Paris was full", "Order 15, 2000 Items", "he paid 30, 2000 Berlin",
    ],
)  # fmt: skip
def test_figures_with_a_word_are_no_address(text: str) -> None:
    assert _found(text, "address") == []


def test_words_have_their_places_and_a_possessive_is_cut() -> None:
    text = "Dear O'Neil's\nfriend, 12 van"
    words = words_of(text)
    assert words.texts == ["Dear", "O'Neil", "\n", "friend", ",", "12", "van"]
    assert [text[start : start + 2] for start in words.starts] == [
        "De",
        "O'",
        "\nf",
        "fr",
        ", ",
        "12",
        "va",
    ]
    kinds = [words.kind(at)[0] for at in range(-1, 8)]
    assert kinds == ["\n", "A", "A", "\n", "l", ",", "0", "p", "\n"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Oh, okay. Alright, ask Maria Gonzalez.", ["Maria Gonzalez"]),
        ("Are Mexicans and Germans friendly? Absolutely, they're.", []),
        ("Alright Anna Weber, I'll call you.", ["Anna Weber"]),
        ("Certainly, Emily is here; Hans too.", ["Emily"]),
    ],
)
def test_exclamations_adverbs_and_peoples_are_no_names(text, names):
    found = [text[s.start : s.end] for s in find(text, {"name"})]
    assert [name for name in found if name != "Hans"] == names


@pytest.mark.parametrize("after", ["王 came", "さん", "の house", "مرحبا today", "씨는", "ª"])
def test_a_given_name_before_a_word_without_case_is_read(after):
    assert _found(f"I met Emma {after}", "name") == ["Emma"]


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "NAME", "age": 34}', '{"arguments": "{\\"name\\": \\"NAME\\"}"}',
        'book(name="NAME", seats=4)',
        '"NAME","12","paid"', '"12";"NAME";"London"', '["NAME", "12"]', '"NAME" is on the card',
        "SELECT * FROM users WHERE name = 'NAME'", "{'name': 'NAME', 'age': 3}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["Maria Lopez", "Thomas Becker", "Peter Miller"])
def test_a_name_is_found_as_a_value_in_quotes(text: str, name: str) -> None:
    assert _found(text.replace("NAME", name), "name") == [name]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A package granted to Michael S. Ovitz.", "Michael S. Ovitz"),
        ("So now Osama bin Laden is gone", "Osama bin Laden"),
        ("Signed: K. Yamamoto", "K. Yamamoto"),
        ("He is related to K. C. Rivers.", "K. C. Rivers"),
        ("She takes vitamin C. Anna agrees", "Anna"),
        ("I saw Michael S. Then he left.", "Michael S"),
        ("Volgens Sandra Vlist van Eurosport is het goed.", "Sandra Vlist"),
    ],
)
def test_a_name_goes_on_over_initials_and_particles(text: str, name: str) -> None:
    assert _found(text, "name") == [name]


def test_titles_in_quotes_and_apostrophes_are_no_values() -> None:
    quoted = [
        "It's Dan's 5\" disk, \"A b\" (12\", 'A b' x)",
        'He said "Anna", "Berta"',
        'in Laws, "cum laude", by',
    ]
    assert [words_of(text).texts.count("\n") for text in quoted] == [0, 0, 0]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Please open the MS Word file", []),
        ("Please open it in MS Edge.", []),
        ("Please open the MR Head file for me.", []),
        ("Ask for the MR Potter file.", ["Potter"]),
        ("Mr Wang asked for a refund", ["Wang"]),
        ('{"name": "Redeem Liu"}', ["Redeem Liu"]),
    ],
)
def test_firms_and_scans_are_no_people(text: str, names: list[str]) -> None:
    assert _found(text, "name") == names
