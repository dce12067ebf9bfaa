"""Sentences that teach the tagger of names: {n} a whole name, {g} a given name, {s} a surname, {o} a company,
{c} a city, {a} a street with its number. Written by hand, in the languages of the data door."""
# ruff: noqa: E501, RUF001

NAMED = """
My name is {n}.|I'm {n} and I need help.|This is {n} from {c}.|{n} here.|Hi {g},|Dear {n},|Dear Mr. {s},|Dear Mrs. {s}:|Hello {g}, how are you?
{g} said that the order was late.|I met {n} in {c} last year.|{n} works for {o}.|{n} lives at {a}, {c}.|Please call {n} or {n}.|Thanks,\n{n}|Regards,\n{g} {s}\n{o}
The account belongs to {n}.|It was signed by {n} on Monday.|Is {g} there?|{g} and {g} went to {c}.|Name: {n}|Full name: {n}\nCity: {c}|Contact: {n}, {o}, {c}|Attn: {n}|Patient: {n}\nDoctor: Dr. {s}
Professor {s} teaches in {c}.|Ask {g} about it.|{s}'s report was read by {n}.|Who is {n}?|{n} was born in {c} and studied in {c}.|Sold to {n}, {a}, {c}|"Yes," said {g}.|I gave the book to {g}.|My wife {g} and my son {g} live in {c}.
cc: {n}, {n}; {n}|{n} (manager)|From: {n}\nTo: {n}|written by {n}|according to {n},|{n} <mail@example.org>|The driver, {n}, was late.|Mr {s} and Ms {s} agreed.|Who was the agent? {n}|{s}, {g}|between {n} and {o}
{g}: Where are you?\n{g}: At home.|"It works," says {s}.|{g}, {g} and {g} came.|They call him {g}.|I know {s} and {s}.|{g} spent a week in {c}.|{g} is very kind.|Take {g} with you.|{n} was late.|What did {n} buy?|The order of {n} and {n}|from {n} to {n}|sent to {n} by {n}.|She gave {g} her keys.|{n}\n{a}\n{c}|by {n}, {o}
Ich heiße {n}.|Mein Name ist {n}.|Hallo {g},|Liebe {g},|Lieber {g},|Sehr geehrter Herr {s},|Sehr geehrte Frau {s},|Frau {n} wohnt in {c}.|Viele Grüße\n{n}|Mit freundlichen Grüßen,\n{n}|Herr {s} hat angerufen.|Hier ist {n} aus {c}.|Das Paket von {n} kam nicht an.|{g} hat die Rechnung bezahlt.|Ansprechpartner: {n}|Laut {n} ist alles in Ordnung.|Kunde: {n}, {a}, {c}|Ich habe mit {n} gesprochen.|Die Ärztin {n} arbeitet bei {o}.|Der Termin mit {s} ist am Montag.
Je m'appelle {n}.|Je suis {n}.|Bonjour {g},|Cher {g},|Chère {g},|Monsieur {s},|Madame {n}|M. {s} habite à {c}.|Cordialement,\n{n}|J'ai parlé avec {n} hier.|Le dossier de {n} est prêt.|{g} a téléphoné.|Contact : {n}|selon {n}|Mme {s} et M. {s} sont arrivés.|{n}, {a}, {c}|Le colis est pour {n}.|Nom : {n}
Me llamo {n}.|Soy {n}.|Hola {g},|Querida {g}:|Estimado señor {s}:|Estimada {n},|El señor {s} vive en {c}.|Un saludo,\n{n}|Hablé con {n} ayer.|La cuenta es de {n}.|{g} no contesta.|según {n}|Doña {g} y don {g}|Nombre: {n}|Le escribe {n}.|Atentamente, {n}|mi hermano {g} vive en {c}
Mi chiamo {n}.|Sono {n}.|Ciao {g},|Gentile signora {s},|Egregio dottor {s},|Cara {g},|Il signor {s} abita a {c}.|Cordiali saluti,\n{n}|Ho parlato con {n} ieri.|Il contratto di {n} è scaduto.|{g} ha chiamato.|secondo {n}|Nome: {n}|Cliente: {n}, {a}, {c}
Mijn naam is {n}.|Ik ben {n}.|Beste {g},|Geachte heer {s},|Geachte mevrouw {s},|Met vriendelijke groet,\n{n}|Ik sprak met {n} uit {c}.|volgens {n}|Het pakket voor {n} is zoek.|Naam: {n}
Nazywam się {n}.|Jestem {n}.|Cześć {g},|Szanowny Panie {s},|Pani {n} mieszka w {c}.|Pozdrawiam,\n{n}|Rozmawiałem z {n}.|Imię i nazwisko: {n}
O meu nome é {n}.|Chamo-me {n}.|Olá {g},|Caro {g},|Exmo. Senhor {s},|Falei com {n} em {c}.|Cumprimentos,\n{n}|Nome: {n}|Sou {n}.
Jag heter {n}.|Hej {g},|Mitt namn är {n}.|Vänliga hälsningar\n{n}|Jeg hedder {n}.|Jeg heter {n}.|Kære {g},|Kjære {g},|Med venlig hilsen\n{n}|Nimeni on {n}.|Hei {g},|Terveisin\n{n}|Olen {n}.
Jmenuji se {n}.|Dobrý den, jsem {n}.|Volám sa {n}.|S pozdravem\n{n}|Pan {s} a paní {s}|A nevem {n}.|Kedves {g}!|Üdvözlettel,\n{n}|Numele meu este {n}.|Mă numesc {n}.|Bună {g},|Zovem se {n}.|Ime mi je {n}.|Moje ime je {n}.|Mano vardas {n}.|Mani sauc {n}.|Minu nimi on {n}.|Adım {n}.|Sayın {n},
"""
NOBODY = """
{o} was founded in {c}.|The {o} called.|{o}\n{a}\n{c}|{o}, {c}|shares of {o}|My IBAN is DE89370400440532013000.|VAT no. ATU12345678|{o} is the largest company in {c}.|I bought it at {o}.|We moved from {c} to {c}.|The office of {o} is in {c}.|{c} is a city.|He works for {o} in {c}.|The weather in {c} is fine.|{o} and {o} merged.|The {o} report|flights to {c} and {c}|University of {c}|{c} University|{c} Airport is closed.|Bank of {c}|{o} Support|made in {c}|Welcome to {o}!|Visit {c}!
Ich wohne in {c}.|Die {o} liefert nach {c}.|Das Büro in {c} ist zu.|Von {c} nach {c} fahren Züge.|Stadt {c}|Flughafen {c}|J'habite à {c}.|La société {o} est à {c}.|Ville de {c}|Vivo en {c}.|La empresa {o} está en {c}.|Ciudad de {c}|Vivo a {c}.|L'azienda {o} è a {c}.|Comune di {c}|Ik woon in {c}.|Mieszkam w {c}.|Moro em {c}.|Jag bor i {c}.|at {a} in {c}|in der {a}|in {a}, {c}|Address: {a}, {c}
"""
