"""YAML text -> plain data, where each value stands, and what a spec may not hold."""

import re
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import yaml

Loc: TypeAlias = tuple[str | int, ...]
Tree: TypeAlias = Any  # plain YAML data: scalars in nested lists and dicts of unknown depth

DEEPEST = 32
_LONGEST_SHOWN = 60
_TAG = "tag:yaml.org,2002:"
# Dates stay text, and so do `=` and `<<` where they stand as values.
_TEXT = {"str", "timestamp", "value", "merge"}
_NUMBERS = {"int", "float"}
_PLAIN = {"int": "a number", "float": "a number", "bool": "true or false", "null": "nothing"}
_KINDS: Mapping[type[yaml.Node], Set[str]] = {
    yaml.ScalarNode: _TEXT | _PLAIN.keys(),
    yaml.MappingNode: {"map"},
    yaml.SequenceNode: {"seq"},
}
_OCTAL_OR_BASE_60 = re.compile(r"[-+]?0[0-7_]+|.*:.*")


class ValuePlace(NamedTuple):
    """Where a value stands: as shown, its rank in the file, and the scalar as written."""

    where: str
    rank: float
    text: str | None = None


PlaceOf: TypeAlias = Callable[[int], ValuePlace]


class Mistake(NamedTuple):
    """Something wrong with a spec."""

    place: ValuePlace
    loc: Loc
    what: str

    def line(self) -> str:
        """`file:line: dotted.key: what`."""
        parts = (self.place.where, short(join_keys(self.loc)), self.what)
        return ": ".join(part for part in parts if part)


@dataclass(slots=True)
class SpecNotes:
    """What is known of a spec while it is read: the place of each value, and every mistake."""

    places: dict[Loc, ValuePlace] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def refuse(self, loc: Loc, what: str, place: ValuePlace) -> None:
        """Note a mistake; reading goes on, so that all are told at once."""
        self.mistakes.append(Mistake(place, loc, what))

    def place(self, loc: Loc) -> ValuePlace:
        """Where `loc` stands, or else the nearest thing around it."""
        return next(self.places[part] for part in prefixes(loc) if part in self.places)


def read(text: str, loc: Loc, place_of: PlaceOf, notes: SpecNotes) -> Tree:
    """The data in `text`, which stands at `loc` of the spec; None where there is a mistake.

    Safe for any text: no tags, aliases or merge keys, bounded depth, nothing is constructed but
    text, numbers, booleans, None, lists and dicts."""
    try:
        loader = yaml.CSafeLoader(text)
    except UnicodeEncodeError:
        notes.refuse(loc, "holds bytes that are not UTF-8", place_of(1))
        return None
    try:
        node = loader.get_single_node()
        if node is not None:
            return _Reader(notes, loader, place_of).value(node, loc, 1)
        notes.places[loc] = place_of(1)
    except yaml.YAMLError as error:
        notes.refuse(loc, *_syntax(error, text, place_of))
    finally:
        loader.dispose()
    return None


def walk(tree: Tree, loc: Loc = ()) -> Iterator[tuple[Loc, Tree]]:
    """Everything in a tree but its root, parents first."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if _is_list(tree) else ()
    for part, below in items:
        yield (*loc, part), below
        yield from walk(below, (*loc, part))


def prefixes(loc: Loc) -> Iterator[Loc]:
    """`loc`, its parent, and so on up to the root."""
    return (loc[:length] for length in range(len(loc), -1, -1))


def join_keys(loc: Loc) -> str:
    """`data.sources.0.path`."""
    return ".".join(map(str, loc))


def short(text: str) -> str:
    """The text fit for one line of a terminal: escaped where unprintable, cut where long."""
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


class _Reader:
    def __init__(self, notes: SpecNotes, loader: yaml.CSafeLoader, place_of: PlaceOf) -> None:
        self.notes = notes
        self.loader = loader
        self.place_of = place_of
        self.seen: set[int] = set()

    def value(self, node: yaml.Node, loc: Loc, line: int) -> Tree:
        """The data under a node that belongs to the key or item in `line`."""
        text = node.value if isinstance(node, yaml.ScalarNode) else None
        place = self.notes.places[loc] = self.place_of(line)._replace(text=text)
        objection = self._objection(node, loc)
        if objection:
            self.notes.refuse(loc, objection, place)
            return None
        self.seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, loc, place)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, loc)
        items = enumerate(node.value)
        return [self.value(item, (*loc, i), item.start_mark.line + 1) for i, item in items]

    def _objection(self, node: yaml.Node, loc: Loc) -> str:
        if id(node) in self.seen:
            return "YAML aliases are not supported; write the value out"
        if len(loc) > DEEPEST:
            return "nested too deeply"
        if node.tag.removeprefix(_TAG) not in _KINDS[type(node)]:
            return f"the YAML tag {short(node.tag)} is not supported"
        return ""

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> Tree:
        found: dict[str, Tree] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self._key(key_node, loc, self.place_of(line))
            if key is None:
                continue
            if key in found:
                first = self.notes.places[(*loc, key)].where
                what = f"duplicate key; it is already at {first}"
                self.notes.refuse((*loc, key), what, self.place_of(line))
            else:
                found[key] = self.value(value_node, (*loc, key), line)
        return found

    def _key(self, node: yaml.Node, loc: Loc, place: ValuePlace) -> str | None:
        kind = node.tag.removeprefix(_TAG)
        if kind in _TEXT - {"merge"} and isinstance(node, yaml.ScalarNode):
            return str(node.value)
        what = "a key must be plain text"
        if kind == "merge":
            what = "merge keys (`<<`) are not supported; write the values out"
        elif kind in _PLAIN:
            loc = (*loc, short(str(node.value)))
            what += f', and YAML reads this as {_PLAIN[kind]}; write "{loc[-1]}" in quotes'
        self.notes.refuse(loc, what, place)
        return None

    def _scalar(self, node: yaml.ScalarNode, loc: Loc, place: ValuePlace) -> Tree:
        text, kind = str(node.value), node.tag.removeprefix(_TAG)
        what = f"`{short(text)}` is no usable {kind}"
        if kind in _NUMBERS and _OCTAL_OR_BASE_60.fullmatch(text):
            what = f"YAML reads `{short(text)}` as octal or base 60; write it plainly or in quotes"
        elif kind not in _TEXT:
            with suppress(ValueError, LookupError):
                return self.loader.construct_object(node)
        elif "\0" not in text:
            return text
        self.notes.refuse(loc, what, place)
        return None


def _syntax(error: yaml.YAMLError, text: str, place_of: PlaceOf) -> tuple[str, ValuePlace]:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        at_tab = text[mark.index : mark.index + 1] == "\t"
        what = "YAML is indented with spaces, not tabs" if at_tab else error.problem
        return f"not valid YAML at column {mark.column + 1}: {what}", place_of(mark.line + 1)
    if isinstance(error, yaml.reader.ReaderError):
        line = text.encode()[: error.position].count(b"\n") + 1
        return f"not valid YAML: {error.reason}", place_of(line)
    return f"not valid YAML: {error}", place_of(1)


def _is_list(tree: Tree) -> bool:
    return isinstance(tree, list)
