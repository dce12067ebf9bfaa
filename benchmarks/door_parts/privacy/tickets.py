"""Support tickets in six languages with gaps for names and addresses, and tickets that name nobody.

Written by hand. The gaps are filled with the people of FakeNameGenerator.com (in presidio-evaluator, MIT; 30
countries): neither its texts nor its names taught the tagger, and none of these tickets chose a limit."""
# ruff: noqa: E501

TEST = (
    "Hi team, this is {name}. I moved to {address} last week, please update my account.",
    "Could you forward this to {name}? {given2} is on holiday until Thursday.",
    "The Premium plan of {name} was renewed; {name2} paid by card.",
    "Ticket 4711 was opened by {name} and closed by {name2} in Support.",
    "Best,\n{name}\n{address}",
    "Hallo zusammen, hier ist {name}. Bitte schickt das Paket an {address}.",
    "Das Konto gehört {name}, nicht {name2}. Können Sie das in der Datenbank ändern?",
    "Laut {name} wurde die Ware am Dienstag an die Nachbarin, Frau {surname2}, übergeben.",
    "Bonsoir, mon mari {name} et moi avons déménagé au {address}.",
    "Monsieur {surname} a rendez-vous avec {name2} lundi à Paris.",
    "Selon {name}, la Carte Vitale de {given2} n'est plus valable.",
    "Buenas tardes, le escribe {name} desde {address}.",
    "El paquete lo recogió {name}, mi vecina {given2} lo vio.",
    "Le paso los datos: {name}, {address}.",
    "Salve, sono {name}, il tecnico {name2} non si è presentato. Abito in {address}.",
    "Ho parlato con {name} dell'Ufficio Reclami di Milano.",
    "Goedemiddag, ik ben {name} en woon op {address}.",
    "Volgens {name} is de monteur, {name2}, nooit geweest.",
    "Patient {name} was seen by Dr. {surname2} in the Emergency Department.",
    "Ship to: {name}, {address}",
)
# Nobody is named.
NOBODY = (
    "Our Returns Policy changed on Monday, March 4: see Terms of Service, Section 3.",
    "Der Flug von Frankfurt nach Buenos Aires mit Lufthansa fällt wegen des Streiks aus. Die Deutsche Bahn fährt.",
    "Abra Configuración y luego Cuenta. El Banco Santander de Madrid y Correos de España cierran en Navidad.",
    "Open Instellingen en kies Account. De Nederlandse Bank in Amsterdam is gesloten met Pasen.",
    "World War II ended in 1945. The Treaty of Versailles was signed in 1919 near Paris.",
    "Rechnung und Lieferschein liegen dem Paket bei. Der Kundendienst in Köln hilft Ihnen gern weiter. Vielen Dank für Ihre Geduld.",
    "The Great Barrier Reef, Mount Everest and the Amazon River are natural wonders. Lake Victoria lies in East Africa.",
    "Chapter Two describes the Central Limit Theorem and the Law of Large Numbers, as in Appendix B.",
    "El Camino de Santiago pasa por Burgos y León. La Sagrada Familia está en Barcelona.",
    "Der Bundestag in Berlin, das Finanzamt München und die Technische Universität Dresden sind Behörden und Hochschulen.",
    "Toyota, Ford and Mercedes Benz recalled cars built in Mexico and South Korea in June.",
    "Monday: Read Chapter 5. Tuesday: Lab Report. Wednesday: Group Work in Room 12, Building C.",
)
