"""What bytes that are no UTF-8 may be is told by script; the encoding that is named is read."""

import json

import pytest

from finewright.features.data.check import check
from finewright.features.data.rows import read_options
from finewright.rows.containers.encodings import likely_encodings

SAYS = {
    "cp1252": (
        "Möchten Sie die Rechnung später bezahlen?",
        "Où puis-je trouver le reçu ?",
        "Perché è già attiva?",
    ),
    "cp1250": (
        "Jak mogę zmienić hasło? Wejdź w ustawienia.",
        "Kde najdu číslo účtu? Je na každém výpisu.",
    ),
    "cp1251": (
        "Как изменить пароль? Откройте настройки.",
        "Къде мога да намеря номера на сметката?",
    ),
    "gb18030": ("如何修改密码 请打开设置页面", "今天天气怎么样", "写一首关于春天的诗"),
    "big5": ("如何修改密碼 請打開設定頁面", "今天天氣怎麼樣"),
    "cp932": ("パスワードを変更するにはどうすればよいですか", "今日の天気はどうですか"),
    "cp949": ("비밀번호를 변경하려면 어떻게 해야 하나요", "오늘 날씨 어때요"),
    "cp1253": (
        "Πώς μπορώ να αλλάξω τον κωδικό μου",  # noqa: RUF001
    ),
    "cp1256": ("كيف يمكنني تغيير كلمة المرور",),
    "koi8_r": ("Как изменить пароль? Откройте настройки и нажмите кнопку.",),
}


@pytest.mark.parametrize(
    ("encoding", "text"), [(name, text) for name, texts in SAYS.items() for text in texts]
)
def test_an_encoding_is_told_by_what_it_reads(tmp_path, encoding, text):
    row = {"prompt": text, "completion": "ok"}
    path = tmp_path / "rows.jsonl"
    path.write_bytes(json.dumps(row, ensure_ascii=False).encode(encoding) + b"\n")
    (problem,) = check(path).problems
    named = likely_encodings(path.read_bytes())
    assert any(text in path.read_bytes().decode(name) for name in named)
    assert all(f"--encoding {name}" in problem.hint for name in named)
    assert check(path, read_options(encoding=encoding)).passed


def test_an_encoding_that_does_not_fit_is_said(tmp_path):
    (tmp_path / "a.csv").write_bytes("prompt,completion\nÄ,ok\n".encode("utf-16"))
    (tmp_path / "b.csv").write_bytes(b"prompt,completion\n\x81\xff,ok\n")
    assert check(tmp_path / "a.csv").passed
    found = check(tmp_path / "b.csv", read_options(encoding="cp1253"))
    assert "CP1253" in found.problems[0].message
