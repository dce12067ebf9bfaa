"""What refuses a run says each fault once, with the first row that has it and how many have."""

import pytest

from finewright.errors import DataError
from finewright.schema.common import Problem
from finewright.store.stage import refuse


def of_row(row: int, message: str, file: str = "rows.jsonl") -> Problem:
    return Problem(level="error", file=file, row=row, message=message, hint="fix it")


def test_a_fault_of_many_rows_is_one_line_with_their_number() -> None:
    masked = [of_row(row, "nothing is learned") for row in range(3, 315)]
    with pytest.raises(DataError) as refused:
        refuse([*masked, of_row(400, "no answer")])
    assert str(refused.value).splitlines() == [
        "rows.jsonl:3: nothing is learned; and 311 more rows (fix it)",
        "rows.jsonl:400: no answer (fix it)",
    ]


def test_warnings_alone_refuse_nothing() -> None:
    refuse([of_row(1, "odd").model_copy(update={"level": "warning"})])
