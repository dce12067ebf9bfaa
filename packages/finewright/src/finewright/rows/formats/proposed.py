"""What is proposed for rows of no known format, and how it is said."""

import math
import shlex
from collections.abc import Mapping
from typing import NamedTuple

import yaml


class Proposal(NamedTuple):
    """Our keys -> the row's, and what speaks for them."""

    columns: Mapping[str, str]
    why: str

    def line(self) -> str:
        """As it is written into the spec."""
        pairs = yaml.safe_dump(
            dict(self.columns),
            default_flow_style=True,
            allow_unicode=True,
            sort_keys=False,
            width=math.inf,
        )
        return f"columns: {pairs.strip()}"

    def options(self) -> str:
        """As it is written on the command line."""
        pairs = (f"{ours}={theirs}" for ours, theirs in self.columns.items())
        return " ".join(f"--column {shlex.quote(pair)}" for pair in pairs)


class Proposals(NamedTuple):
    """The one reading that is proposed; or the choices, and what the user has to say."""

    one: Proposal | None = None
    choices: tuple[Proposal, ...] = ()
    question: str = ""

    def hint(self) -> str:
        """As a row's mistake is told with it; empty where there is nothing."""
        if self.one:
            return f"is it this? {self.one.options()}, or in a spec {self.one.line()}, as {self.one.why}"
        ways = "; or ".join(choice.options() for choice in self.choices)
        return f"{self.question}: {ways}" if ways else ""
