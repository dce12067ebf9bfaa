"""README.md of a result's folder: what it is, from what it was made, how it did, and how others use it.

Every line is of the run's own records; what nobody measured or stated is called so. No path of the machine
stands in it: data are named by file and digest."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from finewright import __version__
from finewright.report.blocks import Block, Page, Section, Table, Text, section, table_of
from finewright.report.markdown import as_markdown
from finewright.schema.data import DataReport
from finewright.schema.decisions import WORDS_FILE
from finewright.schema.evaluate import EvaluateReport, Score
from finewright.schema.label_methods import DecidingSettings, LinearSpec
from finewright.schema.parents import ParentRun
from finewright.schema.train import Candidate, TrainSettings, hub_task, textless

_NOT_STATED = ("", "unknown")
_PLACE = re.compile(r"^((?:python|reward_model):)?[/~][^:]*/")
_NOT_MEASURED = "Not measured yet."
# An absolute path; no share such as 1/2, no unit such as tokens/s, no address.
_PATH = re.compile(r"(?<![\w.<:/])/[\w.-]+")


@dataclass(frozen=True, slots=True)
class CardOf:
    """What a card is about; `base` is its name as others know it, `versions` are those of libraries."""

    run: str
    candidate: Candidate
    settings: TrainSettings
    data: DataReport
    base: str
    revision: str
    license: str
    evaluate: EvaluateReport | None
    several: bool
    versions: Mapping[str, str]
    parent: ParentRun | None = None
    """The run that it goes on from."""
    day: str = ""
    """Which the template was told, where it asks for it."""
    looked_at: Sequence[Page] = ()
    """What stages of features found out of the result, as a red team."""


def model_card(of: CardOf) -> str:
    """The card as Markdown with the hub's front matter."""
    sections = [
        *section("What it is", Text(_what(of))),
        *(_use(of) if of.settings.gives_answers else []),
        *section("Data", *_data(of)),
        *section("Scores", _scores(of)),
        *(part for page in of.looked_at for part in _feature(page)),
        *section("Settings", Text(_settings(of), "code")),
        *section("Limits", Text("\n".join(_limits(of)))),
    ]
    return f"{_front(of)}\n{as_markdown(Page('a model', of.run, sections=sections))}"


def _front(of: CardOf) -> str:
    fields = {
        "base_model": of.base,
        "library_name": "peft" if of.settings.adapter.type != "none" else "transformers",
        "pipeline_tag": hub_task(of.settings),
        "tags": ["finewright", of.settings.method, of.settings.adapter.type],
    }
    if of.settings.on_features:
        # No model of the hub is under it, and none of its libraries reads it.
        del fields["base_model"]
        fields |= {"library_name": "finewright", "tags": ["finewright", of.settings.method]}
    if of.license not in _NOT_STATED and not of.license.startswith("LicenseRef"):
        fields["license"] = of.license.lower()
    lines = (f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items())
    return "\n".join(["---", *lines, "---", ""])


def _what(of: CardOf) -> str:
    if isinstance(of.settings, LinearSpec):
        model, output = of.settings.regression, of.settings.form.output
        return (
            f"{model.capitalize()} on {feature_names(of.candidate.base_model)}: it gives each text {output},"
            f" and writes no text. By finewright {__version__}. What computes its features has sha256"
            f" {of.candidate.base_sha256}."
        )
    kind = of.settings.adapter.type
    what = "every weight" if kind == "none" else f"an adapter of type {kind}"
    revision = f" at revision {of.revision}" if of.revision else ""
    made = f"{of.settings.method.upper()} of {what} on {of.base}{revision}, by finewright {__version__}."
    sha256, before = of.candidate.base_sha256, ""
    if of.parent:
        sha256 = of.parent.base_sha256
        before = (
            f" It goes on from the run {of.parent.run}, whose result has sha256"
            f" {of.parent.adapter_sha256}, and holds what that one learned; data and scores of that run are"
            " its own."
        )
    return (
        f"{made}{before} The weights it was trained on have sha256 {sha256}; where those were"
        " quantised (a packaged model), the hub's own give slightly other answers."
    )


def feature_names(base: str) -> str:
    """What a linear model learned from, without paths of this machine: `words and pairs of words, minilm`."""
    names = [PurePath(part).name for part in base.split("+")]
    return ", ".join("words and pairs of words" if name == "words" else name for name in names)


def words_line(candidate: Candidate, data: DataReport) -> str:
    """What a file of words gives away of the training rows; empty for a result without one."""
    if not candidate.keeps_words:
        return ""
    found = data.personal_data
    if found is None or not found.is_whole:
        looked = "nobody looked for personal data and secrets in those rows"
    elif left := found.left:
        kinds = ", ".join(f"{number} {kind}" for kind, number in left.items())
        looked = f"those rows hold {kinds}, and it may hold parts of them"
    else:
        looked = "no personal data or secrets were found that are left in those rows"
    return f"{WORDS_FILE} holds words and pairs of words that at least two training rows have: {looked}"


def _use(of: CardOf) -> list[Section]:
    if isinstance(of.settings, LinearSpec):
        text = (
            "finewright predict RUN FILE answers the rows of a file, with the run that this folder is of."
            f" Elsewhere: the logits are features times linear.safetensors; {of.settings.form.reading}."
        )
        return section("Use", Text(text))
    if not of.settings.writes_text:
        return _use_head(of)
    kind, library = (
        ("AutoModelForCausalLM", "transformers")
        if of.settings.adapter.type == "none"
        else ("AutoPeftModelForCausalLM", "peft")
    )
    code = f"""from {library} import {kind}
from transformers import AutoTokenizer, GenerationConfig

model = {kind}.from_pretrained(folder)
model.generation_config = GenerationConfig.from_pretrained(folder)  # where answers end
tokenizer = AutoTokenizer.from_pretrained(folder)"""
    said = "Ask through the chat template of this folder, chat_template.jinja: it was trained with that one."
    if of.day:
        said += (
            f" It asks for the day: in training and evaluation {of.day}, elsewhere the real one."
        )
    return section("Use", Text(code, "code"), Text(said))


def _use_head(of: CardOf) -> list[Section]:
    """How transformers reads a head over labels, or of a score; its numbers are before calibration."""
    assert isinstance(of.settings, DecidingSettings)
    whole = of.settings.adapter.type == "none"
    imported = "" if whole else "from peft import PeftModel\n"
    put_on = "" if whole else "model = PeftModel.from_pretrained(model, folder)\n"
    code = f"""import json
{imported}from transformers import AutoModelForSequenceClassification, AutoTokenizer

decisions = json.load(open(f"{{folder}}/decisions.json"))
labels, calibration = decisions["labels"], decisions["calibration"]
model = AutoModelForSequenceClassification.from_pretrained(
    {"folder" if whole else "base"}, num_labels=len(labels) or 1
)
{put_on}tokenizer = AutoTokenizer.from_pretrained(folder)"""
    said = (
        "Ask one question at a time through the chat template of this folder, with add_generation_prompt."
        f" Of the logits {of.settings.form.reading}."
    )
    return section("Use", Text(code, "code"), Text(said))


def _data(of: CardOf) -> Iterator[Block]:
    yield Text(f"{of.data.rows_train} training rows, sha256 {of.data.train.sha256}.")
    yield table_of(
        of.data.sources,
        {
            "source": lambda source: PurePath(source.path).name,
            "sha256": lambda source: source.sha256,
            "licence": lambda source: _state(source.license),
            "owner": lambda source: _state(source.owner),
        },
    )
    if of.data.canaries:
        yield Text(f"{of.data.canaries.line(of.data.rows_train)}.")
    if of.data.ledger:
        yield Text(f"Root of the rows' ledger: {of.data.ledger.merkle_root}.")
    yield Text(f"Licence of the base: {_state(of.license)}.")
    if words := words_line(of.candidate, of.data):
        yield Text(f"{words}.")


def _scores(of: CardOf) -> Block:
    found = [] if of.evaluate is None else list(_of_this(of, of.evaluate))
    if of.evaluate is None or not found:
        return Text(_NOT_MEASURED)
    return table_of(
        found,
        {
            "system": lambda score: score.system,
            "rows": lambda score: score.data,
            "metric": lambda score: score.metric,
            "value": lambda score: f"{score.value:.4g}",
            f"{of.evaluate.confidence:.0%} interval": lambda score: (
                f"{score.low:.4g} to {score.high:.4g}"
            ),
            "n": lambda score: str(score.n),
        },
    )


def _of_this(of: CardOf, report: EvaluateReport) -> Iterator[Score]:
    """Where several models were trained, systems carry the name of theirs."""
    prefix = f"{of.candidate.base_model} "
    for score in report.scores:
        if not of.several:
            yield score
        elif score.system.startswith(prefix):
            yield score.model_copy(update={"system": score.system.removeprefix(prefix)})


def _settings(of: CardOf) -> str:
    idle = {"epochs"} if of.settings.max_steps is not None else set()  # max_steps decides
    settings = of.settings.model_dump(mode="json", exclude_none=True, exclude=idle)
    return json.dumps(_shorten_paths(settings), indent=2)


def _feature(page: Page) -> list[Section]:
    """The answer of a feature's page, and its first tables."""
    first = page.sections[0].blocks if page.sections else ()
    tables = [block for block in first if isinstance(block, Table)]
    title = page.subject.removeprefix("a ").capitalize()
    return section(title, Text(page.answer), *tables)


def _limits(of: CardOf) -> Iterator[str]:
    yield "What lies outside the rows above was not looked at: other tasks, other languages, safety."
    yield _leakage(of)
    if of.settings.adapter.type in ("prefix", "prompt"):
        yield "transformers 5.24 with PEFT 0.21 loses this adapter while it generates; 5.23 does not."
    if spent := of.candidate.privacy:
        yield f"Differential privacy: {spent.spent_line()}. It bounds what this adapter alone gives away."
    yield f"Made with {', '.join(f'{name} {version}' for name, version in of.versions.items())}."
    for detail, is_same in _elsewhere(of).items():
        yield f"Answered elsewhere {'as' if is_same else 'otherwise than'} here, by {detail}."
    yield from _leave_out_paths(p.message for p in of.candidate.problems if p.level == "warning")


def _leakage(of: CardOf) -> str:
    """The short form: the gap between rows that trained and others, which is what membership is told by."""
    candidate = of.candidate
    asks = "`finewright redteam RUN --attack leakage` measures what of its rows comes out again."
    if of.settings.on_features:
        return "What its weights tell of single rows was not measured."
    if why := textless(of.settings):
        asks = f"{why}, so that no row comes out as text."
    if candidate.eval_loss is None or candidate.final_loss is None:
        return f"No row was held out, so that its losses do not say how much of its rows it keeps; {asks}"
    gap = candidate.eval_loss - candidate.final_loss
    losses = f"{candidate.final_loss:.3f}, of held-out rows {candidate.eval_loss:.3f}"
    return (
        f"Loss of the last step's rows {losses}: the wider the gap ({gap:+.3f}), the better rows that trained"
        f" can be told from others; {asks}"
    )


def _elsewhere(of: CardOf) -> dict[str, bool]:
    """By what it was asked -> whether it answered as here."""
    found: dict[str, bool] = {}
    for proof in of.candidate.proofs:
        if proof.detail:
            found[proof.detail] = found.get(proof.detail, True) and proof.passed
    return found


def _leave_out_paths(messages: Iterator[str] | Sequence[str]) -> Iterator[str]:
    """What was said of the training, but for lines that name a place on this machine."""
    yield from dict.fromkeys(line for line in messages if not _PATH.search(line))


def _state(value: str) -> str:
    return "not stated" if value in _NOT_STATED else value


def _shorten_paths(value: Any) -> Any:  # Any: JSON
    """JSON in which an absolute path, of a reward's file or run, is its last name."""
    if isinstance(value, dict):
        return {key: _shorten_paths(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shorten_paths(inner) for inner in value]
    return _PLACE.sub(r"\1", value) if isinstance(value, str) else value
