"""Write docs/reference.md, docs/architecture.md and docs/guide.md from the code: `python docs/generate.py`.

A test fails when they are stale."""

import ast
import io
import json
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from finewright import plugins, sdk
from finewright.catalog.models import read_packaged_embedders, read_packaged_models
from finewright.cli.action import Action
from finewright.cli.build import flags_of
from finewright.cli.main import app
from finewright.cli.verbs import Verb, verbs
from finewright.data.sets.build import data_sets
from finewright.feature import Feature, features, sections
from finewright.plugins import BUILTIN, load
from finewright.schema.adapter import AdapterSpec
from finewright.schema.data import DataReport
from finewright.schema.evaluate import EvaluateReport, Sample
from finewright.schema.rewards import RewardSpec
from finewright.schema.run import RunSpec
from finewright.schema.train import TrainReport, TrainSettings
from finewright.schema.train_section import METHODS
from finewright.store.manifest import Manifest
from finewright.table import CORE
from finewright.workbench.stages import stages

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))
from guide import AS_OF, claimed  # noqa: E402 - beside this file, and in no package

SRC = DOCS.parent / "packages" / "finewright" / "src" / "finewright"


def main() -> None:
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
    (SRC / "packages.json").write_text(brought(), encoding="utf-8")


def pages() -> dict[str, str]:
    """File name -> text of every generated page."""
    return {
        "reference.md": reference(),
        "architecture.md": architecture(),
        "guide.md": guide(),
        "sdk.md": sdk_page(),
        "run-1.schema.json": run_schema(),
    }


RUN_FILES: Mapping[str, type[BaseModel]] = {
    "manifest.json": Manifest,
    "data/report.json": DataReport,
    "train/report.json": TrainReport,
    "evaluate/report.json": EvaluateReport,
    "evaluate/samples.jsonl": Sample,
}
"""The files of a run that a model describes; of a .jsonl each line."""
EVENT = {
    "type": "object",
    "description": "A line of events.jsonl; what else it holds depends on its type.",
    "properties": {
        "time": {"type": "string", "format": "date-time"},
        "type": {"type": "string"},
        "actor": {"$ref": "#/$defs/Actor"},
    },
    "required": ["time", "type"],
}
ENVIRONMENT = {
    "type": "object",
    "properties": {
        "python": {"type": "string"},
        "packages": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["python", "packages"],
}


def run_schema() -> str:
    """JSON Schema of the files of a run folder, each under its path in `properties`.

    Keys may be added within run-1, so none is forbidden, and those with a default are not required."""
    modes = [(model, "validation") for model in RUN_FILES.values()]
    places, whole = models_json_schema(modes, ref_template="#/$defs/{model}")
    described: dict[str, Any] = {
        path: places[model, "validation"] for path, model in RUN_FILES.items()
    }
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "run-1",
        "description": "A run folder of finewright: path -> a whole .json file, or a line of a .jsonl file.",
        "type": "object",
        "required": ["manifest.json"],
        "properties": {**described, "events.jsonl": EVENT, "env.json": ENVIRONMENT},
        "$defs": allow_more(whole["$defs"]),
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def allow_more(schema: Any) -> Any:  # Any: JSON
    """The schema without what forbids keys that it does not name."""
    if isinstance(schema, list):
        return [allow_more(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        k: allow_more(v) for k, v in schema.items() if (k, v) != ("additionalProperties", False)
    }


def brought() -> str:
    """kind -> name -> which package brings it, with the extra of it that the name needs: `advice[tune]`."""
    found: dict[str, dict[str, str]] = {}
    brings: dict[str, Feature] = {}
    for path in sorted(DOCS.parent.glob("packages/finewright-*/pyproject.toml")):
        points = tomllib.loads(path.read_text(encoding="utf-8"))["project"]["entry-points"]
        package = path.parent.name.removeprefix("finewright-")
        for group, rows in points.items():
            for name, target in rows.items():
                extra = "".join(target.partition(" [")[1:]).strip()
                found.setdefault(group.removeprefix("finewright."), {})[name] = package + extra
                if group == "finewright.feature":
                    brings[name] = load(target.partition(" ")[0])
    own = {command.name.partition(" ")[0] for feature in CORE for command in feature.commands}
    found["command"] = {
        word: name
        for name, feature in brings.items()
        for word in (each.name.partition(" ")[0] for each in feature.commands)
        if word not in own | found["feature"].keys() | BUILTIN["feature"].keys()
    }
    return json.dumps(found, indent=1, sort_keys=True) + "\n"


def reference() -> str:
    parts = [
        "# Reference",
        "Generated from the code by `python docs/generate.py`.",
        "## The spec",
        "Only `name`, `base_models` and `data.sources` are required. Paths are relative to the spec file."
        f" A file of `name` and one section alone will do for {alone()}.",
        spec_table(),
        "## Methods",
        "What `train` has beside the keys above, by `train.method`.",
        arms(METHODS.values(), "method", TrainSettings, "train."),
        "## Adapters",
        "`train.adapter`, by its `type`.",
        arms(get_args(get_args(AdapterSpec)[0]), "type", None, "train.adapter."),
        "## Rewards",
        summary(RewardSpec) + " An item of `train.rewards`; a text alone is its `function`.",
        "\n".join([*HEAD, *fields(RewardSpec, "train.rewards[].")]),
        "## Metrics",
        metrics_table(),
        "## Embedders",
        embedders_table(),
        "## Packaged models",
        models_table(),
        "## Data sets",
        sets_table(),
        "## Commands",
        effects(),
        commands(),
        "## Features",
        features_table(),
        "## Plugins",
        plugins_table(),
    ]
    return "\n\n".join(parts) + "\n"


def architecture() -> str:
    rows = [f"| `{name}/` | {sentence(name)} |" for name in folders()]
    table = [f"| `{s.name}` | {', '.join(s.reads) or '-'} | {s.help} |" for s in stages()]
    parts = [
        "# Architecture",
        "Generated from the code by `python docs/generate.py`. Imports point down only, no package imports"
        " another, and the stages never import each other; `make check` proves it.",
        "## Packages",
        PICTURE,
        packages_table(),
        "## The core",
        "\n".join(["| folder | responsibility |", "|---|---|", *rows]),
        "Below all: `feature.py` (what a feature is), `plugins.py` (names to code) and `errors.py` (every"
        " error a user can meet).",
        "A feature is a folder of a package and the entry point `finewright.feature`; from its `feature.py`"
        " come its key in the spec, its commands, its page and its part of the reference"
        " ([features.md](features.md)). What can be swapped is a name in `plugins.py`, or in a package with"
        " the entry point `finewright.KIND` ([packages.md](packages.md))."
        " The [reference](reference.md#features) lists both.",
        "## Stages",
        "\n".join(["| stage | reads | what it does |", "|---|---|---|", *table]),
        "A stage is `stage.py: run(context) -> StageResult`. Its key is the digest of its section, its"
        " inputs, the results it reads, and finewright's own code; an unchanged key is not run again.",
        "## The run folder",
        "Its format is published: [run-folder.md](run-folder.md) has the schema and a reader.",
        RUN_FOLDER,
    ]
    return "\n\n".join(parts) + "\n"


def sdk_page() -> str:
    """Every name that packages may import, by the module that it comes from."""
    homes: dict[str, list[str]] = {}
    for name in dir(sdk):
        homes.setdefault(sdk._homes()[name], []).append(name)
    rows = [
        f"| `{name}` | `{home.removeprefix('finewright.')}` | {cell(meaning_of(home, name))} |"
        for home, names in sorted(homes.items())
        for name in names
    ]
    parts = [
        "# What packages may import",
        "Generated from `finewright/sdk.pyi` by `python docs/generate.py`. A package of your own"
        " imports from `finewright.sdk`, and its tests from `finewright.conformance`; everything else may"
        " change with any version. `finewright-web3` is such a package, and an import contract holds it to"
        " this list. Our other packages are released with the core, and reach into it.",
        "\n".join(["| name | comes from | what it is |", "|---|---|---|", *rows]),
        "[packages.md](packages.md) adds a scorer, [features.md](features.md) a feature and"
        " [new-method.md](new-method.md) a training method, each as a package of its own.",
    ]
    return "\n\n".join(parts) + "\n"


def meaning_of(home: str, name: str) -> str:
    """The first sentence of a name's docstring, which of a constant stands below it."""
    path = SRC.parent / f"{home.replace('.', '/')}.py"
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for node, below in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return first_sentence(ast.get_docstring(node) or "")
        named = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(named, ast.Name) and named.id == name and isinstance(below, ast.Expr):
            return first_sentence(str(getattr(below.value, "value", "")))
    return ""


def first_sentence(text: str) -> str:
    return re.split(r"(?<!et al)\. ", " ".join(text.split()))[0].rstrip(".")


def guide() -> str:
    """What a guide says and what is true, side by side: `guide.yaml` with its numbers computed."""
    rows = yaml.safe_load((DOCS / "guide.yaml").read_text(encoding="utf-8"))
    known = claimed()
    table = [
        f"| {row['theme']} | {row['says']} | {str(row['verdict']).lower()} | {row['is'].format(**known)} |"
        f" {row['by']} | `{row['shown']}` |"
        for row in rows
    ]
    verdicts = Counter(str(row["verdict"]).lower() for row in rows)
    parts = [
        "# What a guide says, and what is true",
        "Made by `python docs/generate.py` from `docs/guide.yaml`; the numbers are those of the catalog and"
        f" the estimators on {AS_OF}. Of {len(rows)} claims of a guide for enterprises on fine-tuning"
        f" language models (2026) {verdicts['wrong']} are wrong, {verdicts['imprecise']} imprecise,"
        f" {verdicts['depends']} depend{'s' * (verdicts['depends'] == 1)} on your volume, and"
        f" {verdicts['true']} are true.",
        "\n".join(
            [
                "| theme | the guide says | so it is | what is true | who says so | proved by |",
                "|---|---|---|---|---|---|",
                *table,
            ]
        ),
    ]
    return "\n\n".join(parts) + "\n"


RUN_FOLDER = """\
```
runs/2026-11-25-support-bot-7f3a/
  spec.yaml           as written
  spec.lock.yaml      every default resolved, each with its reason; digests of all inputs
  manifest.json       one row per file: path, kind, sha256, bytes, stage, what it was made from
  events.jsonl        what happened, append-only
  env.json            python, packages, machine
  data/               report.json, train.jsonl, eval.jsonl, evaluate/*.jsonl
  train/              report.json, <base model>/{adapter/, metrics.jsonl, curves.svg, curves.png,
                      checkpoints/}
  evaluate/           report.json, samples.jsonl
```"""


def folders() -> list[str]:
    """The folders of the package from the top of the house to its ground floor, by the import contract."""
    text = (DOCS.parent / "pyproject.toml").read_text(encoding="utf-8")
    contract = tomllib.loads(text)["tool"]["importlinter"]["contracts"][0]
    named = [name.strip(" ()") for floor in contract["layers"] for name in floor.split("|")]
    return [name for name in named if (SRC / name).is_dir()]


PICTURE = """\
```
 advice   bridge   rag   serve   trust   web3   packages of others
    \\        |      |      |       |      |      |   (by finewright.sdk alone)
     +-------+------+------+-------+------+------+
                          |  entry points: features, engines, indexes, recognisers, data sets, prices
                    finewright, the core
   rows -> data -> train -> compare -> evaluate -> a run folder that proves itself
```

What one package offers to others (an index of documents, a forecast) is asked for by name, with
`load_offered`; where the package is missing, the line that installs it is the answer."""


def packages_table() -> str:
    """Every package with its sentence."""
    rows = ["| package | what it is |", "|---|---|"]
    for path in sorted(DOCS.parent.glob("packages/*/pyproject.toml")):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        link = f"[`{path.parent.name}`](../packages/{path.parent.name}/README.md)"
        rows.append(f"| {link} | {cell(project['description'])} |")
    return "\n".join(rows)


def features_table() -> str:
    """Every feature with its key of the spec and its commands."""
    rows = ["| feature | key of the spec | commands | what it does |", "|---|---|---|---|"]
    for name, feature in features().items():
        key = f"`{name}`" if feature.section else "-"
        typed = ", ".join(f"`{command.name}`" for command in feature.commands)
        rows.append(f"| `{name}` | {key} | {typed} | {cell(feature.sentence)} |")
    return "\n".join(rows)


def plugins_table() -> str:
    """Every kind of plugin with its names, its Protocol and its suite, as `plugins.py` has them."""
    head, line, *known = [
        row for row in (plugins.__doc__ or "").splitlines() if row.startswith("|")
    ]
    described = {row.split("|")[1].strip(): row for row in known}
    rows = []
    for kind, names in plugins.BUILTIN.items():
        named = [*names, *(n for n in plugins.list_known(kind) if n not in names)]
        built_in = ", ".join(f"`{name}`" for name in named)
        row = described.get(kind, f"| {kind} | - | - |")
        rows.append(f"{row} {built_in} |")
    return "\n".join([f"{head} names |", f"{line}---|", *rows])


def alone() -> str:
    """The sections that will do without the rest of a spec."""
    keys = [f"`{key}`" for key, section in sections().items() if section.needed_by]
    return " and for ".join(keys)


def sentence(package: str) -> str:
    text = (SRC / package / "__init__.py").read_text(encoding="utf-8")
    return " ".join((ast.get_docstring(ast.parse(text)) or "").split())


HEAD = ("| key | default | what | why this default |", "|---|---|---|---|")


def spec_table() -> str:
    return "\n".join([*HEAD, *fields(RunSpec, "")])


def arms(
    of: Iterable[type[BaseModel]], tag: str, common: type[BaseModel] | None, prefix: str
) -> str:
    """A section for each arm of a union, with the keys that are its own."""
    parts = []
    for arm in of:
        known = set(common.model_fields) if common else set()
        own = [row for row in fields(arm, prefix) if key_of(row, prefix) not in known - {tag}]
        parts += [f"### {arm.model_fields[tag].default}", paragraph(arm), "\n".join([*HEAD, *own])]
    return "\n\n".join(parts)


def key_of(row: str, prefix: str) -> str:
    return row.split("`")[1].removeprefix(prefix).partition(".")[0]


def paragraph(thing: object) -> str:
    return " ".join((thing.__doc__ or "").split())


def fields(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        nested = nested_model(field.annotation)
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        if nested:
            what = field.description or summary(nested)
            shown = "required" if field.is_required() else ""
            if field.default and isinstance(
                field.default, tuple
            ):  # of texts, in the place of models
                shown = f"`{plain(field.default)}`"
            why = f" {cell(str(extra['default_reason']))}" if shown.startswith("`") else ""
            yield f"| `{key}` | {shown} | {cell(what)} |{why} |"
            listed = get_origin(field.annotation) is tuple
            yield from fields(nested, f"{key}[]." if listed else f"{key}.")
        else:
            shown = "required" if field.is_required() else f"`{plain(field.default)}`"
            why = cell(str(extra.get("default_reason", "")))
            values = (
                f" ({', '.join(map(str, choices))})"
                if (choices := literals(field.annotation))
                else ""
            )
            yield f"| `{key}` | {shown} | {cell((field.description or '') + values)} | {why} |"


def literals(annotation: Any) -> list[object]:
    """The values that a field may have, when they are named and more than one."""
    if get_origin(annotation) is Literal:
        found = list(get_args(annotation))
        return found if len(found) > 1 else []
    return [value for part in get_args(annotation) for value in literals(part)]


def nested_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for part in get_args(annotation) if (m := nested_model(part))), None)


def summary(thing: object) -> str:
    return (thing.__doc__ or "").strip().splitlines()[0]


def plain(value: object) -> str:
    if value is None:
        return "open"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(str, value)) + "]"
    return str(value)


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def metrics_table() -> str:
    names = {"json_field": "json_field:KEY", "regex": "regex:PATTERN", "within": "within:NUMBER"}
    rows = ["| metric | what |", "|---|---|"]
    for name, target in BUILTIN["scorer"].items():
        module, _, attribute = target.partition(":")
        tree = ast.parse(
            (SRC.parent / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8")
        )
        found = next(n for n in tree.body if getattr(n, "name", "") == attribute)
        text = (ast.get_docstring(found) or "").split("\n\n")[0]  # type: ignore[arg-type]
        rows.append(f"| `{names.get(name, name)}` | {cell(text)} |")
    rows.append(
        "| `preference_accuracy` | The share of preference pairs whose chosen answer the system finds"
        " likelier by token or, being a reward model, rates higher. |"
    )
    return "\n".join(rows)


def embedders_table() -> str:
    """The names that `rag.embedder` may have, each with what its own code says of it."""
    rows = ["| name | what | licence |", "|---|---|---|", "| `none` | Words alone: no vectors. | |"]
    packaged = read_packaged_embedders()
    for name, target in BUILTIN["embedder"].items():
        module = target.partition(":")[0].replace(".", "/")
        tree = ast.parse((SRC.parent / f"{module}.py").read_text(encoding="utf-8"))
        what = (ast.get_docstring(tree) or "").split("\n\n")[0]
        license = packaged[name].license if name in packaged else "MIT"
        rows.append(f"| `{name}` | {cell(what)} | {license} |")
    rows.append("| a folder | A model for sentence-transformers or transformers, of yours. | |")
    rows.append("| `https://HOST/v1#MODEL` | An OpenAI-compatible endpoint. | |")
    return "\n".join(rows)


def models_table() -> str:
    rows = ["| name | model | licence |", "|---|---|---|"]
    return "\n".join(
        [
            *rows,
            *(
                f"| `{n}` | {m.title}: {m.source} | {m.license} |"
                for n, m in read_packaged_models().items()
            ),
        ]
    )


def sets_table() -> str:
    rows = ["| name | what | packages | licence |", "|---|---|---|---|"]
    for name, item in data_sets().sets.items():
        packages = ", ".join(f"{package.name} {package.version}" for package in item.packages)
        rows.append(f"| `{name}` | {item.title} | {packages} | {item.license} |")
    return "\n".join(rows)


def effects() -> str:
    """What the effects of the commands mean, as `feature.py` says."""
    text = (SRC / "feature.py").read_text(encoding="utf-8")
    body = ast.parse(text).body
    place = next(
        i
        for i, node in enumerate(body)
        if getattr(node, "target", None) and (ast.unparse(node.target) == "Effect")
    )
    return " ".join(ast.literal_eval(body[place + 1].value).split())


def commands() -> str:
    return "\n\n".join(helps(verbs(), ()))


def helps(table: Mapping[str, Verb], path: tuple[str, ...]) -> Iterator[str]:
    for word, verb in table.items():
        words = (*path, word)
        if verb.action:
            effect = effect_of(verb.action)
            yield f"### finewright {' '.join(words)}\n\n{effect}\n\n```\n{help_of(words)}\n```"
        yield from helps(verb.inner, words)


def effect_of(action: Action) -> str:
    """What a command does to the world, and with which options or switches it does more."""
    more = [
        f"{effect} with `{flags_of(load(action.command.options), name)[0]}`"
        for name, effect in action.command.effects.items()
    ]
    more += [f"{mode.command.effect} with `{switch}`" for switch, mode in action.modes.items()]
    alone = " A person alone may give it." if action.command.is_by_hand else ""
    return f"Effect: {', '.join([action.command.effect, *more])}.{alone}"


def help_of(words: Sequence[str]) -> str:
    """What `--help` of a command prints."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        app()([*words, "--help"], "finewright", standalone_mode=False, terminal_width=100)
    return printed.getvalue().strip()


if __name__ == "__main__":
    sys.exit(main())
