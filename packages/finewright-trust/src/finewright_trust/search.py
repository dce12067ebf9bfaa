"""The search for planted behaviour in rows, whose texts it reads."""

from collections.abc import Sequence

from finewright.data.base_surprisal import AnswerInRow, RowSurprisal
from finewright.lm.embedders.meaning import Embed
from finewright.rows.texts import row_texts
from finewright.schema.poison import PoisonFindings, TokenSurprise
from finewright.schema.rows import Row
from finewright_trust.poison import scan
from finewright_trust.poison.examples import AnsweredTurn
from finewright_trust.poison.weigh import Surprisal


def search(
    rows: Sequence[Row],
    *,
    surprisal: RowSurprisal | None = None,
    embed: Embed | None = None,
    base_model: str = "",
    least_rows: int = 3,
) -> PoisonFindings:
    """What may have been planted in the rows: see `finewright_trust.poison.scan.search`."""
    return scan.search(
        [row_texts(row) for row in rows],
        surprisal=_of_rows(rows, surprisal) if surprisal else None,
        embed=embed,
        base_model=base_model,
        least_rows=least_rows,
    )


def _of_rows(rows: Sequence[Row], surprisal: RowSurprisal) -> Surprisal:
    """A model reads the turns before an answer as they are, which texts alone do not say."""

    def weigh(wanted: Sequence[AnsweredTurn]) -> Sequence[Sequence[TokenSurprise]]:
        return surprisal([AnswerInRow(rows[e.index], e.at, e.answer) for e in wanted])

    return weigh
