"""A reward of one's own, for examples/grpo.yaml and examples/ppo.yaml.

It runs only where those files name its sha256 as consent, and after `finewright trust add` of it;
`finewright check` shows the new one after a change.
"""

from typing import Any


def speaks_of_the_call(answer: str, row: dict[str, Any]) -> float:
    """The share of what stands in the question that the answer mentions.

    The question has lines such as `Function: redeem` and `amount = 3239 LINK`; the protocol, the
    function and every value count alike. A model that answers with something else earns nothing."""
    facts = []
    for line in row["messages"][-1]["content"].splitlines():
        for mark in (": ", " = "):
            name, found, value = line.partition(mark)
            if found and name != "Chain":
                facts.append(value)
                break
    return sum(fact in answer for fact in facts) / len(facts)
