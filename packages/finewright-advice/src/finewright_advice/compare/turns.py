"""Systems answer the same rows one request at a time, and in turns, so that a busy while slows none alone."""

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

from finewright.compare.local import LocalModel
from finewright.evaluate.answers import question_of
from finewright.lm.runtime import watch_others
from finewright.schema.common import Model
from finewright.schema.rows import Row
from finewright.store.answers import AnswerKey, AnswersLog
from finewright.store.keys import digest
from finewright_advice.compare.latency import Prepare, Timing, time_requests

_TURNS = 3
"""In so many parts the rows are timed, and each second time from the last system to the first."""


class TimedAnswer(Model):
    """What a request took, and how many cores others kept busy in its turn."""

    timing: Timing
    cores_others_used: float


def _keys(system: LocalModel, rows: Sequence[Row], max_new_tokens: int) -> list[AnswerKey]:
    how = digest("one at a time", max_new_tokens)
    return [AnswerKey(system.key, digest(row.to_json()), how) for row in rows]


def time_in_turns(
    systems: Sequence[LocalModel],
    rows: Sequence[Row],
    max_new_tokens: int,
    log: AnswersLog[TimedAnswer],
    on_turn: Callable[[str, int, int], None],
) -> dict[str, list[TimedAnswer]]:
    """By system, in the order of the rows; what the log has is not timed again.

    What is put before a question counts, loading a model does not. `on_turn` is told who has answered how
    many of how many, and may raise to stop."""
    keys = {system.name: _keys(system, rows, max_new_tokens) for system in systems}
    for turn in range(_TURNS):
        places = range(turn, len(rows), _TURNS)
        for system in systems if turn % 2 == 0 else systems[::-1]:
            of = keys[system.name]
            missing = [i for i in places if of[i] not in log]
            if missing:
                found = _time_answers(system, [rows[i] for i in missing], max_new_tokens)
                log.add(zip((of[i] for i in missing), found, strict=True))
                on_turn(system.name, sum(key in log for key in of), len(rows))
    return {name: [log[key] for key in of] for name, of in keys.items()}


def cores_others_used(found: Sequence[TimedAnswer]) -> float:
    """The mean over the time that the answers took."""
    whole = sum(each.timing.whole for each in found)
    return round(sum(each.cores_others_used * each.timing.whole for each in found) / whole, 2)


def _time_answers(
    system: LocalModel, rows: Sequence[Row], max_new_tokens: int
) -> Iterator[TimedAnswer]:
    model = system.load()
    chat = model.chat

    def request(row: Row) -> Prepare:
        return lambda: question_of(chat, system.prepare(row))

    requests = [request(row) for row in rows]
    used = watch_others()
    found = list(
        time_requests(model.lm, chat, requests, max_new_tokens=max_new_tokens, clock=perf_counter)
    )
    others = used()
    return (TimedAnswer(timing=timing, cores_others_used=others) for timing in found)
