"""What a key may do of what its role may: the routes of its scopes, and log-probabilities within a budget.

Log-probabilities and `logit_bias` show a model's last layer to who asks often enough (Carlini et al. 2024,
arXiv 2403.06634; Finlayson et al. 2024, arXiv 2403.09539). So a key with scopes gets neither without the
scope `logprobs`, and with it the five likeliest tokens, with two decimals."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.keys import KeyScope
from finewright_serve.gateway.question import AnswerPiece, GatewayQuestion, ScoredToken
from finewright_serve.gateway.steps import QuestionCaller

_MOST, _DECIMALS = 5, 2
_ROUTES: tuple[tuple[str, KeyScope], ...] = (
    ("/v1/chat/completions", "answers"),
    ("/v1/completions", "answers"),
    ("/v1/responses", "answers"),
    ("/v1/decisions", "answers"),
    ("/v1/embeddings", "embeddings"),
    ("/v1/files", "jobs"),
    ("/v1/fine_tuning", "jobs"),
    ("/v1/commands", "commands"),
    ("/metrics", "metrics"),
)
"""How the paths of routes begin, and the scope that they need. The others are for every key."""


def check_scope(asker: QuestionCaller) -> None:
    """Raise ApiError where the route needs a scope that the key does not have."""
    if asker.scopes is None:
        return
    needed = next((scope for path, scope in _ROUTES if asker.route.startswith(path)), None)
    if needed is not None and needed not in asker.scopes:
        given = ", ".join(sorted(asker.scopes)) or "none"
        what = f"this needs a key with the scope {needed}; the scopes of this one: {given}"
        raise ApiError(what, status=403, code="missing_scope")


def check_scores(question: GatewayQuestion, asker: QuestionCaller) -> None:
    """Raise ApiError where more is asked of the model's scores than the key may see."""
    if asker.scopes is None:
        return
    wanted = "logit_bias" if question.sampling.logit_bias else ""
    wanted = wanted if question.num_logprobs is None else "logprobs"
    if wanted and "logprobs" not in asker.scopes:
        what = f"{wanted}: this needs a key with the scope logprobs"
        raise ApiError(what, status=403, param=wanted, code="missing_scope")
    if (question.num_logprobs or 0) > _MOST:
        what = f"logprobs: {question.num_logprobs} are asked for, and this key gets {_MOST} at most"
        raise ApiError(what, param="logprobs", code="invalid_value")


async def rounded(
    pieces: AsyncGenerator[AnswerPiece, None],
) -> AsyncGenerator[AnswerPiece, None]:
    """The pieces with the scores of a budget."""
    async with aclosing(pieces):
        async for piece in pieces:
            yield replace(piece, scores=_rounded(piece.scores)) if piece.scores else piece


def _rounded(scores: Sequence[ScoredToken]) -> tuple[ScoredToken, ...]:
    return tuple(
        replace(each, logp=round(each.logp, _DECIMALS), others=_rounded(each.others))
        for each in scores
    )
