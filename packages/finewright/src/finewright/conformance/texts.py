"""Texts that a model may give and that no code may stumble over."""

ODD_TEXTS = (
    "",
    " ",
    "\0\x1b[2J",
    "\ud800",
    '{"a": {"b": "\\ud800"}}',
    "\ufeff{}",
    "\N{GRINNING FACE} e\u0301 \u202e",
    "(" * 5_000,
    "[" * 100_000,
    '{"a":' * 5_000 + "1" + "}" * 5_000,
    "9" * 10_000,
    '{"a": {"b": ' + "9" * 10_000 + "}}",
    "1e999999999999999999999999",
    "-1e400",
    "NaN",
    "null",
    '"',
    "```json\n{}\n```",
    "<think>",
)
