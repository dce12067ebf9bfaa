"""Wrong versions of a Solidity function: a guard is dropped, or the function no longer compiles.

One place is changed, and never in a comment or a string. Told by the text alone, without a compiler:
solc 0.8.37 took the chosen side and refused the breakage in every pair of the catalog's packages, and
took every function without its guard (2026-11-25). Other packages may have exceptions."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import NamedTuple

from finewright_web3.values import one_of

Mutation = Callable[[str, Random], str]
"""From a function to a wrong version of it; empty where it has no such place."""

_NOT_CODE = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)
_MISSPELLED = {
    "returns": "return",
    "return": "retrun",
    "external": "extern",
    "internal": "intern",
    "public": "pubilc",
    "private": "privat",
    "view": "veiw",
    "virtual": "virtul",
    "override": "overide",
    "revert": "throw",
    "require": "requires",
    "uint256": "unit256",
    "address": "adress",
    "bool": "boolean",
    "bytes32": "byte32",
    "string": "String",
    "bytes": "byte",
}
_FORMER = {
    "block.timestamp": "now",
    "keccak256": "sha3",
    "gasleft()": "msg.gas",
    "view": "constant",
}
_OTHER_LANGUAGES = {"==": "===", "!=": "!==", "&&": "and", "||": "or"}
_SHORTEST_MISTYPED = 5
# A condition without braces and semicolons ends with its block: no bracket needs to be counted.
_IF_REVERT = r"if \([^{};]*\)\s*(?:\{\s*revert\b[^{};]*;\s*\}|revert\b[^{};]*;)(?!\s*else\b)"
_ZERO_CHECK = r"(?=[^\n]*(?:address\(0\)|_isZero|ZeroAddress))"
_DROPPED = {
    "access control": (
        r"\s+(?:only(?!Initializing)[A-Z]\w*|restricted)(?:\([^()]*\))?(?=\s)",
        r"^[ \t]*_(?:check|require)(?:Owner|Role|Roles|Governance|CanCall|FromEntryPoint\w*|"
        r"NotPaused|Paused|OnlyProxy|NotDelegated|Proxy|Initializing|OnlySelf\w*)"
        r"\([^;]*\);[ \t]*\n",
    ),
    "reentrancy": (r"\s+nonReentrant\b",),
    "initializer": (r"\s+(?:initializer\b|reinitializer\([^)]*\)|onlyInitializing\b)",),
    "pause": (r"\s+whenNotPaused\b",),
    "zero address": (
        rf"^[ \t]*{_ZERO_CHECK}{_IF_REVERT}[ \t]*\n",
        rf"^[ \t]*{_ZERO_CHECK}require\([^;]*\);[ \t]*\n",
    ),
    "validation": (
        rf"^[ \t]*(?!{_ZERO_CHECK}){_IF_REVERT}[ \t]*\n",
        rf"^[ \t]*(?!{_ZERO_CHECK})require\([^;]*\);[ \t]*\n",
    ),
}
_WEAKENED = {
    "tx.origin": (
        r"(?<![\w.])(?:_msgSender\(\)|msg\.sender)(?=\s*[!=]=)"
        r"|(?<=[!=]= )(?:_msgSender\(\)|msg\.sender)",
        "tx.origin",
    ),
    "nonce": (r"(?<!function )\b_useNonce\(", "nonces("),
}


class MutatedSource(NamedTuple):
    """A wrong version of a function, and what is wrong with it."""

    kind: str
    code: str


def without_guard(code: str, rng: Random) -> tuple[MutatedSource, ...]:
    """The function without one of its guards, by the kind of guard."""
    return _all(_GUARDS, code, rng)


def not_compiling(code: str, rng: Random) -> tuple[MutatedSource, ...]:
    """The function with one mistake that the compiler refuses, by the kind of mistake."""
    return _all(_BREAKAGES, code, rng)


def _all(mutations: Mapping[str, Mutation], code: str, rng: Random) -> tuple[MutatedSource, ...]:
    made = (MutatedSource(kind, mutation(code, rng)) for kind, mutation in mutations.items())
    return tuple(broken for broken in made if broken.code not in ("", code))


def _mask(code: str) -> str:
    """The code with what is no code blanked, so that places in the two are the same."""
    return _NOT_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), code)


def _put(code: str, place: re.Match[str], text: str) -> str:
    return code[: place.start()] + text + code[place.end() :]


def _swap(pattern: str, words: Mapping[str, str]) -> Mutation:
    """Puts another word at one place of the pattern; nothing, where the word has no other."""

    def mutation(code: str, rng: Random) -> str:
        places = list(re.finditer(pattern, _mask(code), re.MULTILINE))
        if not places:
            return ""
        place = one_of(rng, places)
        return _put(code, place, words.get(place[0], ""))

    return mutation


def _drop(*patterns: str) -> Mutation:
    return _swap("|".join(f"(?:{pattern})" for pattern in patterns), {})


def _weaken(pattern: str, text: str) -> Mutation:
    return lambda code, rng: (
        _put(code, one_of(rng, places), text)
        if (places := list(re.finditer(pattern, _mask(code))))
        else ""
    )


def _pattern_of_words(words: Mapping[str, str]) -> str:
    return "|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words)


def _without_returns(code: str, rng: Random) -> str:
    returns_a_value = re.search(r"\breturn\s+[^;\s]", _mask(code))
    return _drop(r"\s*\breturns \([^)]*\)")(code, rng) if returns_a_value else ""


def _leave_open(code: str, rng: Random) -> str:
    return code.rstrip().removesuffix("}").rstrip()


def _mistype_name(code: str, rng: Random) -> str:
    """Two letters change places in the body, in a name that stands elsewhere as well."""
    masked = _mask(code)
    body = masked.index("{")
    names = Counter(re.findall(r"\b[a-z_][A-Za-z0-9_]*\b", masked))
    places = [
        place
        for place in re.compile(r"\b[a-z_][A-Za-z0-9_]*\b").finditer(masked, body)
        if names[place[0]] > 1
        and len(place[0]) >= _SHORTEST_MISTYPED
        and place[0][1:-2] != place[0][2:-1]
    ]
    if not places:
        return ""
    place = one_of(rng, places)
    name = place[0]
    at = one_of(rng, [i for i in range(1, len(name) - 2) if name[i] != name[i + 1]])
    return _put(code, place, name[:at] + name[at + 1] + name[at] + name[at + 2 :])


_GUARDS: Mapping[str, Mutation] = {
    **{kind: _drop(*patterns) for kind, patterns in _DROPPED.items()},
    **{kind: _weaken(*change) for kind, change in _WEAKENED.items()},
}
_BREAKAGES: Mapping[str, Mutation] = {
    "semicolon": _drop(r";(?=[ \t]*\n)"),
    "parenthesis": _drop(r"\)(?=;)"),
    "brace": _leave_open,
    "misspelled word": _swap(_pattern_of_words(_MISSPELLED), _MISSPELLED),
    "data location": _drop(r"\b(?:memory|calldata|storage) (?=\w+[,)])"),
    "emit": _drop(r"\bemit (?=\w+\()"),
    "other languages": _swap(r"(?<![=!<>])(?:==|!=)(?!=)|&&|\|\|", _OTHER_LANGUAGES),
    "former Solidity": _swap(_pattern_of_words(_FORMER), _FORMER),
    "returns": _without_returns,
    "mistyped name": _mistype_name,
}
