"""What `rag` shows: an index, what a search finds, an answer with its proof, and how good both are."""

from collections.abc import Iterator

from finewright.report.blocks import Block, Page, Quote, Section, Table, Text, lines, section
from finewright.report.cells import (
    confidence,
    count_of,
    list_counts,
    p_value,
    percent,
    points,
    share,
)
from finewright_rag.citing.lines import (
    CALIBRATE,
    NOT_CALIBRATED,
    asker,
    checks,
    heading_of,
    longest,
    none_has_this,
    not_known,
    place_of,
    split_by_use,
)
from finewright_rag.results import AnswersReport, RagEvaluation
from finewright_rag.schema.evaluate_report import (
    CALLED,
    DECIDES,
    CalibrationSeen,
    RagEvaluateReport,
    RagTuneReport,
)
from finewright_rag.schema.index_report import (
    AskReport,
    IndexReport,
    PassageSeen,
    SearchReport,
)

_UNTUNED = (
    "the index was never tuned, as `finewright rag index` was stopped before it was: the same command again "
    "finishes it"
)
_MEASURES = {
    "found": "a right document is among the passages",
    "exact_match": "the answer is right, word for word",
    "token_f1": "words shared with the right answer (F1)",
    "quotes": "the answer quotes",
    "quotes_verified": "of its quotes, stand where they are said to",
    "numbers_absent": "has a number that is in no passage",
    "abstains_found": "abstains, with a right document there",
    "abstains_missing": "abstains, with none there",
}


def index_page(report: IndexReport) -> Page:
    """What was done to the index, and how it ranks."""
    done = {
        "added": report.added,
        "replaced": report.replaced,
        "unchanged": report.unchanged,
        "deleted": report.deleted,
    }
    left_out = list_counts(report.documents_dropped)
    parts = [f"{count} {name}" for name, count in done.items() if count]
    parts += [f"left out: {left_out}"] if left_out else []
    as_it_was = RagTuneReport(
        weights=report.weights,
        other_weights=report.other_weights,
        why="as they were",
        calibration=report.calibration,
    )
    return Page(
        subject="an index",
        title=report.index,
        answer=f"{report.documents} documents, {report.chunks} chunks, embedder {report.embedder}",
        about=[f"documents: {', '.join(parts) or 'none'}"],
        problems=report.problems,
        sections=section("", *_tuning(report.tuning or as_it_was)),
    )


def tuning_page(report: RagTuneReport) -> Page:
    """The weights and why."""
    return Page("an index", "", sections=section("", *_tuning(report)))


def ask_page(report: AskReport) -> Page:
    """The answer, what of it is proved, and the passages it rests on."""
    used, others = split_by_use(report)
    names = "; ".join(f"[{p.number}] {heading_of(p)}" for p in others)
    return Page(
        subject="an answer",
        title="",
        answer=report.answer or "(the model said nothing)",
        sections=[
            *section("", lines(*checks(report))),
            *section("", *map(_passage, used)),
            *section("", Text(f"read and not cited: {names}" if names else "")),
        ],
    )


def search_page(report: SearchReport) -> Page:
    """The passages, best first."""
    if not report.passages:
        return Page("passages", f"nothing found, of what {asker(report.groups)} may see")
    title = ""
    if report.has_answer is False:
        title = f"{none_has_this(report.groups)}; what comes nearest:"
    return Page(
        subject="passages",
        title=title,
        sections=[
            *(Section("", [_passage(passage)]) for passage in report.passages),
            *section("", Text(not_known() if report.has_answer is None else "")),
            *section("", Text("" if report.is_tuned else _UNTUNED)),
        ],
    )


def evaluation_page(report: RagEvaluation) -> Page:
    """How good the rankings are, and the answers from what they find."""
    page = evaluate_page(report.search)
    if report.answers is None:
        return page
    sections = [*page.sections, *section("", *_answers(report.answers))]
    return Page(page.subject, page.title, page.answer, page.about, page.problems, sections)


def evaluate_page(report: RagEvaluateReport) -> Page:
    """Every ranking's scores, what lies between them, and which to use."""
    metrics = list(dict.fromkeys(score.metric for score in report.scores))
    cells = {(score.system, score.metric): percent(score) for score in report.scores}
    rows = [(CALLED[name], *(cells[name, metric] for metric in metrics)) for name in report.weights]
    changes = [
        (f"tuned - {CALLED[d.against]}", d.metric, points(d), p_value(d.p_value))
        for d in report.differences
        if d.metric in (DECIDES, "mrr")
    ]
    return Page(
        subject="rankings",
        title=report.questions,
        answer=_verdict(report),
        about=[
            f"{count_of(report.n, 'question')}, {confidence(report.confidence)} in brackets",
            *_kind_of_questions(report),
        ],
        problems=report.problems,
        sections=[
            *section("", Table(("ranking", *metrics), rows)),
            *section("", Table(("difference", "metric", "points", "p"), changes)),
            *section(
                "",
                lines(
                    f"tuned: {_describe_tuning(report)}; chosen by {report.tuned_on}. "
                    f"A search takes {report.query_ms:.1f} ms.",
                    _describe_refusals(report),
                ),
            ),
        ],
    )


def _tuning(report: RagTuneReport) -> Iterator[Block | None]:
    """The weights, why they are so, and what else was tried."""
    others = report.other_weights
    yield lines(
        f"weights: {_weights(report.weights)} ({report.why})",
        f"weights for questions in other words: {_weights(others)}" if others else "",
        _calibration(report.calibration),
    )
    rows = [
        (
            *(f"{weight:g}" for weight in tried.weights.values()),
            *(share(tried.mrr), share(tried.recall_at_1)),
            "chosen" if tried.weights == report.weights else "",
        )
        for tried in report.tried
    ]
    yield Table(("words", "vectors", "mrr", "recall@1", ""), rows)


def _calibration(found: CalibrationSeen | None) -> str:
    if found is None:
        return f"no document has this: never said; {NOT_CALIBRATED}"
    refused = f"{share(found.refused)} of {count_of(found.num_questions, 'answerable question')}"
    caught = f"{share(found.foreign_caught)} of everyday questions and nonsense"
    return f"no document has this: said to {refused} and to {caught}, on which this was set"


def _answers(report: AnswersReport) -> Iterator[Block | None]:
    rows = [
        (what, percent(found), str(found.n))
        for name, what in _MEASURES.items()
        if (found := report.measures.get(name))
    ]
    head = f"{report.model} answers from {report.results} passages"
    yield Table((head, confidence(report.confidence), "n"), rows)
    cut = f"{count_of(report.num_cut, 'answer')} cut after {longest(report.max_new_tokens)}"
    yield lines(
        f"asked: {report.drawn}" if report.drawn else "",
        f"{cut}, and judged up to there" if report.num_cut else "",
        f"answers: {report.samples.path}" if report.samples else "",
    )


def _passage(passage: PassageSeen) -> Quote:
    """Its heading, its place, and its text as it stands."""
    where = f"[{passage.number}] {heading_of(passage)}  ({passage.score:.4f})"
    return Quote(where, f"{place_of(passage)}\n{passage.text}")


def _kind_of_questions(report: RagEvaluateReport) -> Iterator[str]:
    """What the questions are, where that makes the scores better than people will find them."""
    if report.num_left_out:
        left_out = count_of(report.num_left_out, "question")
        yield f"{left_out} of the file tuned the index and were not asked"
        return
    if not report.are_made:
        return
    yield "they repeat the documents' own words: what people ask in theirs is found less often"
    for name in report.weights:
        found = {s.metric: percent(s) for s in report.hard_scores if s.system == name}
        if found:
            scores = f"mrr {found['mrr']}, recall@10 {found['recall@10']}"
            yield f"with half of their words exchanged, {CALLED[name]}: {scores}"


def _describe_tuning(report: RagEvaluateReport) -> str:
    own = _weights(report.weights["tuned"])
    if not report.other_weights:
        return own
    return f"{own}; for questions in other words {_weights(report.other_weights)}"


def _describe_refusals(report: RagEvaluateReport) -> str:
    if report.refused is None:
        return f"no document has this: never said; {NOT_CALIBRATED} ({CALIBRATE})"
    return f"no document has this: said, wrongly, to {share(report.refused)} of these questions"


def _verdict(report: RagEvaluateReport) -> str:
    head, questions = f"verdict by {DECIDES}:", count_of(report.n, "question")
    if not report.is_enough:
        few = "is too few" if report.n == 1 else "are too few"
        return f"{head} none, {questions} {few} to tell anything; {report.fewest} are needed"
    if report.worse:
        return f"{head} use {CALLED[report.worse[0].against]} alone for questions like these"
    better = " and than ".join(CALLED[d.against] for d in report.better)
    alone = " or than ".join(CALLED[name] for name in report.parts)
    found = f"better than {better}" if better else f"neither better nor worse than {alone}"
    return f"{head} tuned is {found} alone, as far as {questions} can tell"


def _weights(weights: dict[str, float]) -> str:
    return ", ".join(f"{CALLED[name]} {weight:g}" for name, weight in weights.items())
