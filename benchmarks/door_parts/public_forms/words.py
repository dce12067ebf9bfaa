# ruff: noqa: E501 - texts as they stand
"""What the rows say: facts, tasks, chats, intents, articles, sums and code."""

from typing import NamedTuple


class Fact(NamedTuple):
    """A passage, a question about it, and short and long answers, right and wrong."""

    title: str
    passage: str
    question: str
    answer: str
    explained: str
    wrong: str


FACTS = [
    Fact(
        "Danube",
        "The Danube rises in the Black Forest and flows through ten countries before it reaches the Black Sea.",
        "Where does the Danube rise?",
        "the Black Forest",
        "It rises in the Black Forest in southern Germany, where two small rivers meet.",
        "It rises in the Alps, close to Lake Geneva.",
    ),
    Fact(
        "Penicillin",
        "Penicillin was found in 1928 by Alexander Fleming, who saw that a mould had killed bacteria in a dish.",
        "Who found penicillin?",
        "Alexander Fleming",
        "Alexander Fleming found it in 1928 when a mould spoiled one of his dishes.",
        "Marie Curie found it while she worked on radium.",
    ),
    Fact(
        "Bern",
        "Bern has been the seat of the Swiss federal authorities since 1848, though no law calls it a capital.",
        "Since when is Bern the seat of the Swiss authorities?",
        "1848",
        "Bern was chosen in 1848, when the federal state was founded.",
        "Since 1291, when the first cantons swore an oath.",
    ),
    Fact(
        "Tardigrade",
        "Tardigrades are animals of half a millimetre that survive years without water by drying out into a tun.",
        "How large are tardigrades?",
        "half a millimetre",
        "Most of them are about half a millimetre long, just visible to the naked eye.",
        "They are as long as a thumb.",
    ),
    Fact(
        "Loom",
        "Jacquard's loom of 1804 read punched cards, one for each row of the cloth, and wove patterns without a drawboy.",
        "What did Jacquard's loom read?",
        "punched cards",
        "It read punched cards; each card held one row of the pattern.",
        "It read a roll of magnetic tape.",
    ),
    Fact(
        "Coffee",
        "Coffee reached Venice around 1570, and the first coffee house of the city opened in 1645 near San Marco.",
        "When did the first coffee house of Venice open?",
        "1645",
        "The first one opened in 1645, some 75 years after coffee had arrived.",
        "It opened in 1720, as the Florian did.",
    ),
    Fact(
        "Krakatoa",
        "The eruption of Krakatoa in 1883 was heard on Rodrigues, 4,800 kilometres away, four hours later.",
        "How far away was Krakatoa heard?",
        "4,800 kilometres",
        "It was heard 4,800 kilometres away, on the island of Rodrigues.",
        "Nobody outside of Java heard it.",
    ),
    Fact(
        "Fermat",
        "Andrew Wiles proved Fermat's last theorem in 1994, after a gap in the proof of 1993 had been closed with Richard Taylor.",
        "Who proved Fermat's last theorem?",
        "Andrew Wiles",
        "Andrew Wiles proved it in 1994 with the help of Richard Taylor.",
        "Pierre de Fermat wrote the proof into a margin.",
    ),
]

# An instruction, its input, the response, a category.
TASKS = [
    (
        "Rewrite the sentence politely.",
        "Send me the invoice now.",
        "Could you please send me the invoice when you have a moment?",
        "rewriting",
    ),
    (
        "Name the colour that results.",
        "Blue and yellow paint are mixed.",
        "Mixing blue and yellow paint gives green.",
        "closed_qa",
    ),
    (
        "Give three tips for sleeping well.",
        "",
        "1. Keep regular hours. 2. Leave the phone outside. 3. Keep the room cool.",
        "brainstorming",
    ),
    ("Translate into French.", "Good evening, neighbour.", "Bonsoir, voisin.", "translation"),
    ("Classify the animal.", "A bat hangs from a beam.", "A bat is a mammal.", "classification"),
    (
        "Write a slogan for a bakery.",
        "",
        "Rise and shine: bread that wakes before you do.",
        "creative_writing",
    ),
    (
        "Summarise the note.",
        "Meeting moved to Friday at ten, bring the signed forms, parking is closed.",
        "Friday at ten, with signed forms; no parking.",
        "summarization",
    ),
    (
        "Explain what inflation is.",
        "",
        "Inflation is a general rise of prices, so that money buys less than before.",
        "open_qa",
    ),
]

# Turns of a user and a helper, the user first.
CHATS = [
    [
        "I need a table for two tonight.",
        "Certainly. Which part of the town do you prefer?",
        "The centre, and something Italian.",
        "Trattoria Uno has a table at eight, shall I book it?",
    ],
    [
        "My parcel has not arrived.",
        "I am sorry to hear that. What is the number of the order?",
        "It is 20-114.",
        "Thank you. It left the depot this morning and comes before six.",
    ],
    [
        "Can you find a train to Ely?",
        "There is one at 9:50 from platform two.",
        "What does it cost?",
        "The ticket is 4.40 pounds.",
    ],
    [
        "The router blinks red.",
        "That means that it has no line. Please unplug it for a minute.",
        "It is green, thanks!",
        "Glad to hear it. Have a good day.",
    ],
    [
        "Which museum is free on Sundays?",
        "The city museum is, from ten to five.",
        "Is there a café?",
        "Yes, on the second floor, with a view of the river.",
    ],
    [
        "I would like to change my password.",
        "Of course. I have sent a link to your address.",
        "Got it.",
        "Please pick one with at least twelve characters.",
    ],
    [
        "Is it going to rain in Porto?",
        "Light rain is expected until noon.",
        "Then I shall leave later.",
        "That sounds wise: the afternoon will be dry.",
    ],
    [
        "How do I cook rice?",
        "Rinse it, add twice as much water, and simmer it for twelve minutes.",
        "With salt?",
        "A pinch is enough.",
    ],
]

INTENTS = [
    ("My card has still not come in the post", "card_arrival"),
    ("Why was I charged twice for one coffee?", "transaction_charged_twice"),
    ("How do I set a new PIN?", "change_pin"),
    ("I was billed two times yesterday", "transaction_charged_twice"),
    ("When will the new card get here?", "card_arrival"),
    ("The machine kept my card", "card_swallowed"),
    ("Please let me pick another PIN", "change_pin"),
    ("An ATM has eaten my card", "card_swallowed"),
    ("Is there a way to track the card you sent?", "card_arrival"),
    ("The same payment shows up two times", "transaction_charged_twice"),
]

NEWS = [
    (
        "The council of Harwick voted on Tuesday to close the old bridge to cars from May. Engineers had found cracks in two of its five arches in the winter. Cyclists and people on foot may go on using it while it is repaired, which is expected to take fourteen months.",
        "Harwick closes its old bridge to cars in May for fourteen months of repairs.",
    ),
    (
        "A baker from Lund has won the national prize for rye bread for the third time in a row. The jury praised the crust and the long fermentation. Her shop sold out by nine in the morning on the day after the ceremony, and the queue went round the block.",
        "A baker from Lund wins the rye bread prize for the third time.",
    ),
    (
        "Scientists counted 412 puffins on the northern cliffs this spring, twice as many as ten years ago. They put the growth down to fewer rats, which were trapped from 2015 on, and to sand eels that have come back to the bay since trawling was stopped there.",
        "Puffins have doubled in ten years on the northern cliffs as rats vanished.",
    ),
    (
        "The airline will charge for bags in the cabin from autumn. Bags that fit beneath the seat stay free. The company says that boarding took eleven minutes longer last summer than five years ago, because lockers were full before half of the passengers were seated.",
        "The airline will charge for larger cabin bags from autumn.",
    ),
    (
        "A storm took the roof off the sports hall of Vila Nova on Sunday night. Nobody was hurt since the evening's match had been called off. Lessons are moved to the school of the next village until a new roof is built, the mayor said.",
        "A storm unroofed the sports hall of Vila Nova; nobody was hurt.",
    ),
    (
        "The library lends tools since January: drills, saws, a ladder. Each is checked on its return by two volunteers. In six months 900 loans were made and three tools were lost, fewer than books in the same time.",
        "A library's loans of tools are a success after six months.",
    ),
]

# A problem, its worked solution, the result.
SUMS = [
    (
        "Mia buys 3 pens of 2 euros each and pays with 10 euros. How much does she get back?",
        "The pens cost 3 * 2 = <<3*2=6>>6 euros. She gets back 10 - 6 = <<10-6=4>>4 euros.",
        "4",
    ),
    (
        "A train covers 120 km in 2 hours. How far does it go in 5 hours?",
        "It goes 120 / 2 = <<120/2=60>>60 km in an hour. In 5 hours it goes 60 * 5 = <<60*5=300>>300 km.",
        "300",
    ),
    (
        "There are 28 pupils in a class, a quarter are ill. How many are present?",
        "28 / 4 = <<28/4=7>>7 are ill. So 28 - 7 = <<28-7=21>>21 are present.",
        "21",
    ),
    (
        "A recipe for 4 needs 600 g of flour. How much is needed for 6?",
        "For one it is 600 / 4 = <<600/4=150>>150 g. For 6 it is 150 * 6 = <<150*6=900>>900 g.",
        "900",
    ),
    (
        "Tom reads 15 pages a day. How many days does he need for 180 pages?",
        "He needs 180 / 15 = <<180/15=12>>12 days.",
        "12",
    ),
    (
        "A field is 40 m by 25 m. How long is the fence around it?",
        "Two sides are 40 + 25 = <<40+25=65>>65 m. All four are 65 * 2 = <<65*2=130>>130 m.",
        "130",
    ),
]

# What a function shall do, its head with a docstring, its body, a test.
CODE = [
    (
        "Write a function that adds two numbers.",
        'def add(a, b):\n    """Return the sum of a and b."""\n',
        "    return a + b\n",
        "assert add(1, 2) == 3",
    ),
    (
        "Write a function that reverses a text.",
        'def reverse(s):\n    """Return s from its end to its beginning."""\n',
        "    return s[::-1]\n",
        "assert reverse('ab') == 'ba'",
    ),
    (
        "Write a function that counts the vowels of a word.",
        'def vowels(word):\n    """Return how many vowels word has."""\n',
        "    return sum(c in 'aeiou' for c in word)\n",
        "assert vowels('queue') == 4",
    ),
    (
        "Write a function that finds the largest number of a list.",
        'def largest(xs):\n    """Return the largest of xs."""\n',
        "    best = xs[0]\n    for x in xs:\n        best = max(best, x)\n    return best\n",
        "assert largest([3, 9, 2]) == 9",
    ),
    (
        "Write a function that says whether a year is a leap year.",
        'def leap(year):\n    """Return True in leap years."""\n',
        "    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)\n",
        "assert leap(2000)",
    ),
    (
        "Write a function that removes repeats of a list.",
        'def unique(xs):\n    """Return xs without repeats, in order."""\n',
        "    return list(dict.fromkeys(xs))\n",
        "assert unique([1, 1, 2]) == [1, 2]",
    ),
]

# A question to a database, its query, the database, its tables.
QUERIES = [
    (
        "How many singers do we have?",
        "SELECT count(*) FROM singer",
        "concert_singer",
        "CREATE TABLE singer (singer_id INTEGER, name VARCHAR)",
    ),
    (
        "What are the names of all airports in Italy?",
        "SELECT name FROM airport WHERE country = 'Italy'",
        "flight_2",
        "CREATE TABLE airport (name VARCHAR, country VARCHAR)",
    ),
    (
        "Which pets are older than five?",
        "SELECT pet_id FROM pets WHERE age > 5",
        "pets_1",
        "CREATE TABLE pets (pet_id INTEGER, age INTEGER)",
    ),
    (
        "Show the oldest student.",
        "SELECT name FROM student ORDER BY age DESC LIMIT 1",
        "college_2",
        "CREATE TABLE student (name VARCHAR, age INTEGER)",
    ),
    (
        "What is the average price of cars?",
        "SELECT avg(price) FROM cars",
        "car_1",
        "CREATE TABLE cars (model VARCHAR, price INTEGER)",
    ),
    (
        "List all cities with more than a million people.",
        "SELECT city FROM cities WHERE population > 1000000",
        "world_1",
        "CREATE TABLE cities (city VARCHAR, population INTEGER)",
    ),
]

# A question as it was asked, and as people say it with slips.
DISFLUENT = [
    ("Where does the Danube rise?", "Where does the Danube end no sorry rise?"),
    ("Who found penicillin?", "Who sold uh I mean who found penicillin?"),
    (
        "Since when is Bern the seat of the Swiss authorities?",
        "Since when is Zurich no make that Bern the seat of the Swiss authorities?",
    ),
    ("How large are tardigrades?", "How old or wait how large are tardigrades?"),
    ("What did Jacquard's loom read?", "What did Jacquard's card er loom read?"),
    ("How far away was Krakatoa heard?", "How far away was Etna no sorry Krakatoa heard?"),
]

GERMAN = [
    ("Where is the station?", "Wo ist der Bahnhof?"),
    ("The soup is too hot for me.", "Die Suppe ist mir zu heiß."),
    ("We leave tomorrow at seven.", "Wir fahren morgen um sieben ab."),
    ("She has lost her umbrella again.", "Sie hat wieder ihren Schirm verloren."),
    ("Can I pay by card?", "Kann ich mit Karte zahlen?"),
    ("That book was a present from my aunt.", "Das Buch war ein Geschenk meiner Tante."),
]
