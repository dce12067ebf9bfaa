"""Pairs of rows that nearly say the same and are two: kinds that chose the word lists, and kinds that did not."""
# ruff: noqa: E501 - the sentences are data

from collections.abc import Iterator
from typing import NamedTuple


class Pair(NamedTuple):
    """Two questions with their answers."""

    kind: str
    one: tuple[str, str]
    other: tuple[str, str]


_CHOSE = {
    "place": (
        "Hello, I am a customer from {} and I would like to open a savings account with you. Is that possible?",
        "Iran|Peru Spain|France Nigeria|Niger Austria|Australia Iraq|Iran paris|berlin Kenya|Ghana",
        ("No, we cannot do that.", "Yes, you can do that online."),
    ),
    "negation": (
        "The invoice of March has {} been paid by the customer. What should the clerk do next with the order?",
        "already|not now|never",
        ("Send the reminder to the customer by mail today.",) * 2,
    ),
    "can": (
        "According to the handbook a member of staff {} share the code with a colleague who asks for it by phone.",
        "can|can't may|mustn't should|shouldn't does|doesn't will|won't",
        ("The rule is on page four of the handbook.",) * 2,
    ),
    "polarity": (
        "How do I {} the card that I received in the mail last week, and how long does that take?",
        "activate|deactivate lock|unlock enable|disable block|unblock register|unregister",
        ("Open the app, choose the card and follow the steps that you see there.",) * 2,
    ),
    "weekday": (
        "Please move the appointment with the doctor to {} at the same hour and send me a note about it.",
        "Monday|Tuesday Friday|Sunday monday|wednesday Thursday|Tuesday",
        ("The appointment was moved and the note was sent.",) * 2,
    ),
    "month": (
        "Show me all invoices that are due at the end of {} and their totals as a table, sorted by client.",
        "June|July January|February march|april August|October",
        ("Here is the table of the invoices with their totals.",) * 2,
    ),
    "comparison": (
        "Explain this line of the contract for a reader who is new:\nrequire(balances[from] {} amount);",
        ">=|<= ==|!= <|> >|>=",
        ("It compares the balance of the sender with the amount and reverts otherwise.",) * 2,
    ),
    "logic": (
        "What does this condition check in the code below?\nif (isOwner {} isPaused) return transfer(to, amount);",
        "&&||| ==|!=",
        ("It decides whether the transfer goes on.",) * 2,
    ),
    "sql order": (
        "Write a query that lists all clients by their total, in {} order, with the name of the branch.",
        "ascending|descending",
        (
            "SELECT name, total, branch FROM clients ORDER BY total ASC",
            "SELECT name, total, branch FROM clients ORDER BY total DESC",
        ),
    ),
    "sql column": (
        "Write a query for the table clients that gives what the report about {} needs for each of them.",
        "age|name city|phone email|branch",
        ("SELECT {} FROM clients WHERE active = true",) * 2,
    ),
    "number": (
        "The buyer pays {} euros in cash at the office on the day of the delivery and gets a receipt for it.",
        "500|5000 12|21 ten|twelve 3|30",
        ("The payment is written down with its amount.",) * 2,
    ),
    "name": (
        "Please write a short note to {} and say that the meeting about the budget was moved by one hour.",
        "Alice|Martin Anna|Hannah Mr. Miller|Mr. Baker Chen|Kowalski Nike|Adidas",
        ("The meeting about the budget was moved by one hour.",) * 2,
    ),
    "label": (
        "Classify the message: the parcel {} and nobody at the hotline knows where it is now.",
        "came late|is lost was sent back|was damaged",
        ("delay", "loss"),
    ),
    "german": (
        "Der Kunde möchte wissen, ob der Vertrag {} gekündigt werden kann und welche Frist dafür gilt.",
        "online|nicht am_Montag|am_Freitag mit_Vollmacht|ohne_Vollmacht",
        ("Die Frist steht im Vertrag unter Punkt vier.",) * 2,
    ),
    "role swap": (
        "Write the transfer order from {0} to {1} as it was agreed in the meeting of the board.",
        "Alice Bob|Bob Alice|dollars euros|euros dollars",
        ("The order was written as it was agreed.",) * 2,
    ),
}

_ALSO_CHOSE = {
    "support": (
        "My order arrived {} and I want to talk to somebody of your team about what happens next with it.",
        "early|late broken|intact opened|unopened complete|incomplete",
        ("We are sorry. A colleague will call you back within the next hours.",) * 2,
    ),
    "legal": (
        "Under clause four the {} shall bear the cost of repairs to the premises during the term of the lease.",
        "landlord|tenant lessor|lessee buyer|seller plaintiff|defendant employer|employee",
        ("Clause four says who bears the cost.",) * 2,
    ),
    "legal modal": (
        "The supplier {} disclose the terms of this agreement to a third party with the consent of the buyer.",
        "may|may_not shall|shall_not must|may will|will_never",
        ("See the clause on confidentiality of the agreement.",) * 2,
    ),
    "medicine": (
        "The patient takes the tablets {} meals and reports dizziness in the morning. Is a change of dose needed?",
        "before|after with|without during|between",
        ("Please ask the doctor who prescribed the tablets.",) * 2,
    ),
    "currency": (
        "Convert the amount of the invoice to {} at the rate of the central bank and round it to full units.",
        "dollars|euros yen|francs USD|GBP pesos|rupees bitcoin|ether",
        ("The amount was converted at the rate of the day.",) * 2,
    ),
    "unit": (
        "The parcel has a weight of some 20 {} and goes by air freight. Which tariff of the price list applies?",
        "kilograms|pounds kg|lb tonnes|ounces",
        ("The tariff is on page nine of the price list.",) * 2,
    ),
    "direction": (
        "Leave the station by the {} exit and walk along the river until you see the red bridge ahead of you.",
        "north|south left|right eastern|western upper|lower front|rear",
        ("Then it is five minutes on foot to the hotel.",) * 2,
    ),
    "aggregate": (
        "Give me the SQL for the {} salary of every department in the table of the staff, sorted by department.",
        "maximum|minimum highest|lowest average|total",
        (
            "SELECT department, MAX(salary) FROM staff GROUP BY department",
            "SELECT department, MIN(salary) FROM staff GROUP BY department",
        ),
    ),
    "join": (
        "Explain what this query does to rows without a match: SELECT * FROM a {} JOIN b ON a.id = b.id",
        "LEFT|INNER LEFT|RIGHT FULL|INNER",
        ("It says which rows without a match are kept.",) * 2,
    ),
    "python": (
        "What does this function return for an empty list?\ndef f(xs):\n    return {}(xs, default=None)",
        "max|min any|all",
        ("It returns what its second argument says.",) * 2,
    ),
    "arithmetic": (
        "Explain the line `return price {} discount * 100` to a person who never wrote a program before.",
        "+|- *|/ -|/",
        ("It computes a figure of the price and the discount.",) * 2,
    ),
    "solidity": (
        "Document this function:\nfunction pause() external {} {{ _paused = !_paused; }}",
        "onlyOwner|onlyMinter onlyRole|onlyOwner",
        ("Changes whether transfers are paused.",) * 2,
    ),
    "visibility": (
        "Document this function of the vault:\nfunction sweep(address token) {} returns (uint256) {{ return 0; }}",
        "public|private external|internal",
        ("Returns nothing of the token.",) * 2,
    ),
    "not operator": (
        'When does this line revert in the contract above?\nrequire({}paused, "paused");',
        "!|_",
        ("It reverts depending on the flag.",) * 2,
    ),
    "company": (
        "Summarise the quarterly report of {} for the board in one sentence and name the largest risk in it.",
        "Siemens|Bosch Deutsche Bank|Commerzbank Google|Apple Pfizer|Bayer",
        ("The report names supply chains as the largest risk.",) * 2,
    ),
    "city": (
        "Which documents do I need to register a car in {} if I moved there from abroad last week?",
        "Madrid|Lisbon vienna|zurich Toronto|Montreal Osaka|Tokyo",
        ("You need your passport and the papers of the car.",) * 2,
    ),
    "date": (
        "Book the room for the workshop on the {} of the month and order coffee for all who take part.",
        "3rd|5th first|third 12|21 11th|12th",
        ("The room is booked and coffee is ordered.",) * 2,
    ),
    "quantifier": (
        "In this class {} of the pupils passed the exam in mathematics at the end of the term, says the report.",
        "all|none most|few all|some",
        ("The report lists the results of the exam.",) * 2,
    ),
    "frequency": (
        "The machine must {} be cleaned with water while it is plugged in, as the manual of the maker says.",
        "always|never never|only",
        ("The manual has the rule on the first page.",) * 2,
    ),
    "adjective": (
        "Write a sentence about a {} dog that lives with an old man in a house at the end of the road.",
        "happy|sad big|small young|old brave|cowardly friendly|unfriendly healthy|sick",
        ("The dog waits at the door every evening until the man comes home.",) * 2,
    ),
    "verb": (
        "The analyst expects that the price of the share will {} after the figures are published this week.",
        "rise|fall increase|decrease grow|shrink improve|worsen",
        ("The analyst gives three reasons for this view.",) * 2,
    ),
    "outcome": (
        "Does the court find for the person who {} the claim in time, according to the ruling cited above?",
        "accepted|rejected filed|withdrew admitted|denied",
        ("The ruling says so in its second part.",) * 2,
    ),
    "intent": (
        "I want to {} and I do not know where to begin in the app. Can you help me?",
        "close_my_account|open_an_account change_my_pin|change_my_address get_a_refund|get_a_loan",
        ("close_account", "open_account"),
    ),
    "answer": (
        "Is a person who earned {} than the limit last year bound to hand in a tax return?",
        "more|less",
        ("Yes.", "No."),
    ),
    "spanish": (
        "El cliente quiere saber si el contrato {} se puede cancelar antes de la fecha de vencimiento.",
        "sí|no siempre|nunca con_multa|sin_multa",
        ("La respuesta está en la cláusula cuarta.",) * 2,
    ),
    "french": (
        "Le client demande si le contrat peut être résilié {} frais avant la fin de la période.",
        "avec|sans",
        ("La réponse est dans la clause quatre.",) * 2,
    ),
    "gender": (
        "The nurse said that {} would come back with the results after the visit of the chief physician.",
        "he|she",
        ("The results come after the visit.",) * 2,
    ),
    "chain": (
        "Swap the whole balance of the wallet for tokens on {} and bridge them back at the end of the day.",
        "Ethereum|Polygon Arbitrum|Optimism solana|ethereum",
        ("The swap and the bridge are planned for today.",) * 2,
    ),
    "sender": (
        "Draft a message in which {0} asks {1} to hand in the report before the end of the week.",
        "Maria Tom|Tom Maria|Lee Kim|Kim Lee",
        ("Please hand in the report before the end of the week.",) * 2,
    ),
}

_REPORTED = {
    "insurance": (
        "Is damage by {} covered by the policy of the household if the windows were left open over night?",
        "fire|water hail|burglary storm|frost rodents|smoke",
        ("Please read section six of the policy.",) * 2,
    ),
    "tax": (
        "The company was founded in {} and asks which rate applies to the dividends that it pays to its owners.",
        "Ireland|Malta Delaware|Nevada luxembourg|cyprus Zug|Basel",
        ("The rate depends on the treaty.",) * 2,
    ),
    "weather": (
        "The forecast for the region says {} for the whole weekend, so tell the guests what they should pack.",
        "rain|sunshine snow|heat",
        ("Pack for the weather that the forecast names.",) * 2,
    ),
    "recipe": (
        "Heat the oil in the pan and add the onions {} the garlic, then stir for three minutes on a low flame.",
        "before|after with|without",
        ("Stir until the onions are soft.",) * 2,
    ),
    "school": (
        "The pupil {} the test in chemistry in spring and asks whether a second attempt is possible this year.",
        "passed|failed wrote|missed",
        ("A second attempt is possible in autumn.",) * 2,
    ),
    "sport": (
        "Write the headline for a report about a match that the home team {} in the last minute of the game.",
        "won|lost drew|won",
        ("A match that nobody will forget so soon.",) * 2,
    ),
    "sql where": (
        "Count the orders of the last year whose total is {} the average of all orders in the table.",
        "above|below over|under",
        (
            "SELECT COUNT(*) FROM orders WHERE total > (SELECT AVG(total) FROM orders)",
            "SELECT COUNT(*) FROM orders WHERE total < (SELECT AVG(total) FROM orders)",
        ),
    ),
    "sql set": (
        "Explain what the second part does: SELECT id FROM current {} SELECT id FROM archive",
        "UNION|EXCEPT UNION|INTERSECT",
        ("It combines the ids of both tables.",) * 2,
    ),
    "javascript": (
        "What happens to the list in this line?\nitems.{}(value);",
        "push|unshift shift|pop find|filter",
        ("The list is read or changed by the method.",) * 2,
    ),
    "rust": (
        "What does the compiler say about this line?\nlet {}value: i32 = compute(input);",
        "mut_|_",
        ("It compiles if the value is used as it is declared.",) * 2,
    ),
    "regex": (
        "Which lines does the command print?\ngrep {} error server.log",
        "-v|-c -i|-n",
        ("It prints by the flag that is given.",) * 2,
    ),
    "comparison in python": (
        "Is this guard right for a queue of fixed size?\nif len(queue) {} size: raise Full",
        "<|> ==|!= >=|<",
        ("Compare it with the size of the queue.",) * 2,
    ),
    "bank": (
        "Customer asks: my {} card was charged twice in the same shop. What can the clerk offer to the customer?",
        "debit|credit business|private prepaid|virtual",
        ("The clerk opens a dispute and asks for the receipts.",) * 2,
    ),
    "kyc": (
        "The applicant {} a politically exposed person according to the screening of this morning. Next step?",
        "is|isn't was|wasn't",
        ("Follow the procedure of compliance.",) * 2,
    ),
    "person": (
        "Remind {} that the badge has to be returned at the desk before the end of the last working day.",
        "Olga|Irina Fernando|Rodrigo priya|anjali Dr. Weber|Dr. Vogel",
        ("The badge has to be returned at the desk.",) * 2,
    ),
    "time": (
        "Wake me up at seven in the {} and read the headlines of the day to me while I make coffee.",
        "morning|evening",
        ("The alarm is set.",) * 2,
    ),
    "deadline": (
        "The notice has to reach the other party {} days prior to the end of the term, by registered mail.",
        "thirty|sixty ten|twenty 14|28",
        ("The notice is sent by registered mail.",) * 2,
    ),
    "yes or no": (
        "Does the wall between both rooms carry the weight of the roof, as the plan of the {} floor shows?",
        "first|second",
        ("Yes, it does.", "No, it does not."),
    ),
    "sentiment": (
        "What does the author of this review feel? The room was {} and the staff was at the door all day.",
        "clean|dirty quiet|noisy spacious|cramped",
        ("positive", "negative"),
    ),
    "italian": (
        "Il cliente chiede se il contratto {} essere disdetto prima della scadenza e a quale costo.",
        "può|non_può",
        ("La risposta è nella clausola quattro.",) * 2,
    ),
    "portuguese": (
        "O cliente quer saber se o pagamento {} recebido na conta da loja durante a tarde de hoje.",
        "foi|não_foi",
        ("A equipe vai verificar a conta.",) * 2,
    ),
    "token": (
        "Explain to a beginner why the pool of {} and stablecoins lost so much liquidity in the past hours.",
        "WETH|WBTC UNI|AAVE matic|avax",
        ("Liquidity left for pools with higher yields.",) * 2,
    ),
    "governance": (
        "The proposal {} the quorum at the end of the vote. What does the contract of the governor do then?",
        "reached|missed exceeded|missed",
        ("The state of the proposal changes by the rules.",) * 2,
    ),
    "swap of names": (
        "Summarise the dispute between {0} and {1} in which the first sued the other over the use of a patent.",
        "Apple Samsung|Samsung Apple|Orbis Kappa|Kappa Orbis",
        ("The court has to decide on the use of the patent.",) * 2,
    ),
}


def chose() -> list[Pair]:
    """Pairs of the kinds by which the words were chosen."""
    kinds = {**_CHOSE, **_ALSO_CHOSE}
    return [pair for kind, made in kinds.items() for pair in _pairs(kind, made)]


def reported() -> list[Pair]:
    """Pairs of the kinds that chose nothing."""
    return [pair for kind, made in _REPORTED.items() for pair in _pairs(kind, made)]


_LEADS = (
    "",
    "You work at the desk of a firm with many clients and answer in one short sentence. ",
    "This comes from the archive of the past year; the tone is that of a letter and nothing is left out of it. ",
    "Note: ",
)


def _pairs(kind: str, made: tuple[str, str, tuple[str, str]]) -> Iterator[Pair]:
    template, fillings, answers = made
    for lead in _LEADS:
        for one, other in _fillings(template, fillings):
            yield Pair(
                kind,
                (lead + _filled(template, one), answers[0].format(one)),
                (lead + _filled(template, other), answers[1].format(other)),
            )


def _filled(template: str, words: str) -> str:
    if "{1}" in template:
        return template.format(*words.split())
    return template.format(words.replace("_", " ") if words != "_" else "")


def _fillings(template: str, fillings: str) -> Iterator[tuple[str, str]]:
    if "{1}" in template:
        sides = fillings.split("|")
        yield from zip(sides[::2], sides[1::2], strict=True)
        return
    # Names of two words stand in one pair: `Mr. Miller|Mr. Baker`, `Deutsche Bank|Commerzbank`.
    fillings = (
        fillings.replace("Mr. ", "Mr._")
        .replace("Dr. ", "Dr._")
        .replace("Deutsche Bank", "Deutsche_Bank")
    )
    fillings = fillings.replace(
        "came late|is lost was sent back|was damaged", "came_late|is_lost was_sent_back|was_damaged"
    )
    for pair in fillings.split():
        one, _, other = ("&&", "", "||") if pair == "&&|||" else pair.partition("|")
        yield one, other
