"""What an evaluation of models of labels shows: certainty, sets and thresholds side by side, and the worst
confusions."""

from collections.abc import Iterator, Sequence

from finewright.report import cells
from finewright.report.blocks import Section, Table, Text, section
from finewright.schema.decisions import DecisionFigures, DecisionScores

_WORST = 10


def decision_sections(data: str, found: Sequence[DecisionScores]) -> list[Section]:
    """Of one set: how sure its systems are and how rightly, what each threshold costs, what is mixed up."""
    scores = [each for each in found if each.data == data]
    if not scores:
        return []
    return section(
        f"{data}: decisions",
        _certainty(scores),
        _curve(scores),
        *(table for each in scores for table in _mixed_up(each)),
        *(Text(f"{each.system}: {each.drift.line()}") for each in scores if each.drift),
    )


def figure_sections(data: str, found: Sequence[DecisionFigures]) -> list[Section]:
    """Of one set: how its systems do with several labels a row, or scores, and each one's worst labels."""
    scores = [each for each in found if each.data == data]
    if not scores:
        return []
    names = list(dict.fromkeys(name for each in scores for name in each.figures))
    rows = []
    for each in scores:
        figures = [cells.number(each.figures.get(name)) for name in names]
        covered = f"{cells.share(each.coverage)} (stated {100 * each.stated_coverage:g} %)"
        unsure = "" if each.unsure is None else f"{each.unsure} of {each.rows}"
        rows.append([each.system, *figures, covered, cells.number(each.size), unsure])
    shown = [name.replace("_", " ") for name in names]
    size = "width of an interval" if "mae" in names else "labels a set"
    return section(
        f"{data}: decisions",
        Table(["system", *shown, "coverage", size, "unsure"], rows),
        *(_of_labels(each) for each in scores if each.labels),
        *(Text(f"{each.system}: {each.drift.line()}") for each in scores if each.drift),
    )


def _of_labels(scores: DecisionFigures) -> Table:
    rows = [
        (each.label, cells.number(each.f1), f"{each.right} of {each.rows}", str(each.wrongly))
        for each in scores.labels
    ]
    header = ("label", "F1", "right", "answered wrongly elsewhere")
    return Table(header, rows, f"{scores.system}: labels, the worst first")


def _certainty(scores: Sequence[DecisionScores]) -> Table:
    header = ["system", "right", "calibration error", "sets cover", "labels a set", "empty sets"]
    rows = []
    for each in scores:
        covered = ""
        if each.coverage is not None and each.stated_coverage is not None:
            covered = f"{cells.share(each.coverage)} (stated {100 * each.stated_coverage:g} %)"
        empty = "" if each.empty_sets is None else str(each.empty_sets)
        error = "" if each.calibration_error is None else f"{each.calibration_error:.3f}"
        unsure = "" if each.unsure is None else f"{each.unsure} of {each.rows}"
        sure = "" if each.accuracy_when_sure is None else cells.share(each.accuracy_when_sure)
        row = [each.system, cells.share(each.accuracy), error, covered]
        rows.append([*row, cells.number(each.set_size), empty, unsure, sure])
    return Table([*header, "unsure", "right when sure"], rows)


def _curve(scores: Sequence[DecisionScores]) -> Table:
    """Rows are thresholds; cells are the share answered, and how many of these are right."""
    deciding = [each for each in scores if each.curve]
    points = zip(*(each.curve for each in deciding), strict=True)
    rows = []
    for at in points:
        shown = [
            f"{cells.share(p.answered)}: "
            + ("-" if p.accuracy is None else f"{cells.share(p.accuracy)} right")
            for p in at
        ]
        rows.append([f"{at[0].threshold:g}", *shown])
    header = ["least confidence", *(each.system for each in deciding)]
    return Table(header, rows, "answered, and right of these, by the least confidence")


def _mixed_up(scores: DecisionScores) -> Iterator[Table]:
    pairs = [(c.expected, c.answered, str(c.count)) for c in scores.confusions[:_WORST]]
    yield Table(("expected", "answered", "rows"), pairs, f"{scores.system}: worst pairs")
    worst = [each for each in scores.labels if each.right < each.rows][:_WORST]
    rows = [(e.label, f"{e.right} of {e.rows}", str(e.wrongly)) for e in worst]
    header = ("label", "right", "answered wrongly elsewhere")
    yield Table(header, rows, f"{scores.system}: worst labels", is_for_page=True)
