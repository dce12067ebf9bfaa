"""Pairs whose chosen and rejected answer changed places, by what the other pairs prefer: words, meaning,
length, form, and how far an answer takes up its question."""

import re
from collections.abc import Sequence
from math import log

import numpy as np

from finewright.guard.quality.code import code_part
from finewright.guard.quality.refusals import refuses
from finewright.schema.rows import PairTexts
from finewright_trust.misfits.left_out import regressions
from finewright_trust.misfits.likeness import Floats, vectors
from finewright_trust.misfits.odds import Odds, fitted

_ITEM = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s", re.M)
_TINY = 1e-9


def preferences(pairs: Sequence[PairTexts]) -> Odds:
    """How likely each pair's direction is, with the pair left out; choice 0 is the direction as it stands."""
    num = len(pairs)
    texts = [p.chosen for p in pairs] + [p.rejected for p in pairs] + [p.prompt for p in pairs]
    rows = vectors(texts).astype(np.float64)
    chosen, rejected, questions = rows[:num], rows[num : 2 * num], rows[2 * num :]
    related = np.stack([(chosen * questions).sum(1), (rejected * questions).sum(1)])
    forms = np.array([_form(text) for text in texts[: 2 * num]])
    forms = np.column_stack([forms, related.reshape(-1)])
    forms = (forms - forms.mean(axis=0)) / np.maximum(forms.std(axis=0), _TINY)
    kernel = _scaled(chosen - rejected) + _scaled(forms[:num] - forms[num:])
    left_out = [found.without_each() for found in regressions(kernel, np.ones((num, 1)))]
    scores = (np.hstack([x, -x]) / max(float(x.std()), _TINY) for x in left_out)
    return fitted(scores, np.zeros(num, np.int64))


def _scaled(rows: Floats) -> Floats:
    """Their products, to a mean of 1 of a row with itself."""
    kernel: Floats = rows @ rows.T
    return kernel / max(float(np.trace(kernel)) / len(rows), _TINY)


def _form(text: str) -> list[float]:
    """Length, lines, lists, code, signs, refusal, capitals, repetition."""
    own = text.split()
    num = max(1, len(own))
    return [
        log(1 + len(text)),
        log(1 + text.count("\n")),
        log(1 + len(_ITEM.findall(text))),
        code_part(text),
        "?" in text,
        "!" in text,
        bool(refuses(text)),
        len(set(own)) / num,
        text.count(",") / num,
        sum(map(str.isupper, text)) / max(1, len(text)),
        text.strip()[-1:] in set(".!?\"'`)\u3002\uff01\uff1f"),
    ]
