"""What a calibration tells from answerable questions: everyday questions, which documents of a company or a
program seldom answer, and random letters.

Where the documents are on one of these things, fewer of them are caught, and the report says how many."""

from random import Random
from string import ascii_lowercase

EVERYDAY = tuple(
    """
How many strings does a guitar have?
What is the longest river in Africa?
How do I bake bread without yeast?
Who painted the Mona Lisa?
Why do cats have whiskers?
When is the best time to plant tulips?
How far is the sun from the earth?
What are the rules of chess?
Which animals sleep through the winter?
How do I get rid of a headache?
Who invented the telephone?
What is the difference between a frog and a toad?
How do aeroplanes stay in the air?
Which countries border Switzerland?
How long should I cook rice?
What did people eat in the Middle Ages?
How do I train for a marathon?
Why is the sea salty?
Who wrote Romeo and Juliet?
What is the fastest land animal?
How do you say thank you in Japanese?
What makes a rainbow?
How do I paint a wooden fence?
Which teeth do children lose first?
When did the second world war end?
How do spiders spin their webs?
What should I wear to a wedding in summer?
Who was the first man on the moon?
How do I repot an orchid?
What is the freezing point of water?
Which instruments play in a string quartet?
How do I learn to swim as an adult?
What is the population of Iceland?
Why do birds fly south?
How is glass made?
What are the ingredients of a mojito?
How do I soothe a crying baby?
Which mountain is the highest in Europe?
What was the first film with sound?
How do earthquakes happen?
""".strip().splitlines()
)


def nonsense(number: int = len(EVERYDAY), *, seed: int = 0) -> tuple[str, ...]:
    """Three to eight runs of three to nine random letters, always the same: words that nobody has."""
    rng = Random(seed)  # noqa: S311 - no secret

    def run() -> str:
        return "".join(rng.choices(ascii_lowercase, k=rng.randint(3, 9)))

    return tuple(" ".join(run() for _ in range(rng.randint(3, 8))) for _ in range(number))
