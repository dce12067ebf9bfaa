"""Where names cannot be read it is said, and not that there are none."""

from finewright.data.privacy import apply
from finewright.schema.privacy import PersonalDataSpec, SecretsSpec
from finewright.schema.rows import Row


def row(text: str, number: int) -> Row:
    said = ({"role": "user", "content": text}, {"role": "assistant", "content": "OK"})
    return Row("", said, None, "a.jsonl", number)


def test_rows_in_scripts_without_capitals_are_counted_where_names_are_looked_for() -> None:
    rows = [
        row("My name is Anna Smith.", 1),
        row("我叫王小明，我的订单还没有到，请帮我查一下", 2),  # noqa: RUF001
        row("客户李雷要求退款，请尽快处理这件事情", 3),  # noqa: RUF001
        row("Меня зовут Анна Смирнова, заказ не пришёл.", 4),
    ]
    for types, expected in ((("name",), [2]), (("email",), [])):
        report = apply(rows, PersonalDataSpec(types=types), SecretsSpec(), b"key").report
        told = [p for p in report.problems if "2 rows are in Chinese or Japanese" in p.message]
        assert [p.row for p in told] == expected
