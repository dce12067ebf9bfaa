# ruff: noqa: RUF001 - texts in many scripts
"""What bytes that are no UTF-8 may be is told by script; the encoding that is named is read."""

import json

import pytest

from finewright.features.data.check import check
from finewright.features.data.rows import read_options
from finewright.rows.containers.encodings import encoding_hint, likely_encodings

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
    "cp1253": ("Πώς μπορώ να αλλάξω τον κωδικό μου",),
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
    assert all(name in problem.hint for name in named)
    assert check(path, read_options(encoding=encoding)).passed


def test_an_encoding_that_does_not_fit_is_said(tmp_path):
    (tmp_path / "a.csv").write_bytes("prompt,completion\nÄ,ok\n".encode("utf-16"))
    (tmp_path / "b.csv").write_bytes(b"prompt,completion\n\x81\xff,ok\n")
    assert check(tmp_path / "a.csv").passed
    found = check(tmp_path / "b.csv", read_options(encoding="cp1253"))
    assert "CP1253" in found.problems[0].message


# Sentences as customers write them; no encoding is told by the language alone.
TEXTS = {
    "german": (
        "Möchten Sie die Rechnung später bezahlen?",
        "Die Gebühr beträgt fünf Euro je Überweisung.",
        "Größere Beträge müssen Sie bestätigen.",
    ),
    "french": (
        "Où puis-je trouver le reçu de mon paiement ?",
        "Les frais s'élèvent à cinq euros, déjà payés.",
        "Votre demande a été enregistrée à midi.",
    ),
    "spanish": (
        "¿Cómo puedo cambiar la contraseña?",
        "Mañana llegará el envío a su dirección.",
        "El año pasado pagué más comisión.",
    ),
    "portuguese": (
        "Não consigo aceder à minha conta.",
        "A transação será concluída amanhã de manhã.",
        "Qual é a comissão de câmbio?",
    ),
    "polish": (
        "Jak mogę zmienić hasło do konta?",
        "Wejdź w ustawienia i wybierz źródło płatności.",
        "Świetnie, dziękuję za pomoc, żegnam.",
    ),
    "czech": (
        "Kde najdu číslo svého účtu?",
        "Je na každém výpisu, který dostáváte.",
        "Děkuji, už jsem ho našel, šťastný den.",
    ),
    "hungarian": (
        "Hol találom a számlaszámomat?",
        "Kérem, erősítse meg a fizetést ötkor.",
        "Köszönöm, az ügyfélszolgálat gyűjtő.",
    ),
    "slovene": (
        "Kje najdem številko računa?",
        "Prosim, potrdite plačilo še danes.",
        "Žal je račun že zaprt, čakajte.",
    ),
    "romanian": (
        "Unde găsesc numărul contului?",
        "Plata va fi procesată mâine în bancă.",
        "Vă multumim.",
    ),
    "turkish": (
        "Şifremi nasıl değiştirebilirim?",
        "Ödeme yarın işleme alınacak, teşekkürler.",
        "Hesabınız açıldı, güle güle.",
    ),
    "russian": (
        "Как изменить пароль? Откройте настройки.",
        "Комиссия составляет пять рублей.",
        "Спасибо, я уже нашёл ответ.",
    ),
    "ukrainian": (
        "Як змінити пароль? Відкрийте налаштування.",
        "Комісія становить п'ять гривень.",
        "Дякую, я вже знайшов її.",
    ),
    "bulgarian": (
        "Къде мога да намеря номера на сметката?",
        "Таксата е пет лева за превод.",
        "Благодаря, вече го намерих.",
    ),
    "greek": (
        "Πώς μπορώ να αλλάξω τον κωδικό μου;",
        "Η προμήθεια είναι πέντε ευρώ.",
        "Ευχαριστώ, το βρήκα ήδη.",
    ),
    "hebrew": (
        "איך אפשר לשנות את הסיסמה שלי",
        "העמלה היא חמישה שקלים",
        "תודה כבר מצאתי את המספר",
    ),
    "arabic": (
        "كيف يمكنني تغيير كلمة المرور",
        "الرسوم خمسة دنانير لكل تحويل",
        "شكرا لقد وجدت الرقم",
    ),
    "lithuanian": (
        "Kur rasti savo sąskaitos numerį?",
        "Mokėjimas bus įvykdytas rytoj, ačiū.",
        "Šiandien bankas uždarytas, žinoma.",
    ),
    "thai": (
        "ฉันจะเปลี่ยนรหัสผ่านได้อย่างไร",
        "ค่าธรรมเนียมห้าบาท",
        "ขอบคุณ ฉันพบแล้ว",
    ),
    "japanese": (
        "パスワードを変更するにはどうすればよいですか",
        "手数料は五ユーロです。",
        "ありがとうございます、見つかりました。",
    ),
    "chinese": (
        "如何修改密码，请打开设置页面",
        "手续费是五欧元。",
        "谢谢，我已经找到了号码。",
    ),
    "chinese_t": (
        "如何修改密碼，請打開設定頁面",
        "手續費是五歐元。",
        "謝謝，我已經找到了號碼。",
    ),
    "korean": (
        "비밀번호를 변경하려면 어떻게 해야 하나요",
        "수수료는 오 유로입니다.",
        "감사합니다, 이미 찾았습니다.",
    ),
}
ENCODINGS = (
    *(
        "cp1252",
        "iso8859_1",
        "iso8859_15",
        "mac_roman",
        "cp850",
        "cp437",
        "cp1250",
        "iso8859_2",
        "cp852",
    ),
    *("cp1254", "iso8859_9", "cp1251", "koi8_r", "koi8_u", "iso8859_5", "cp866", "mac_cyrillic"),
    *(
        "cp1253",
        "iso8859_7",
        "cp1255",
        "iso8859_8",
        "cp1256",
        "iso8859_6",
        "cp1257",
        "iso8859_13",
        "cp874",
    ),
)
EASTERN = {
    "japanese": ("cp932", "euc_jp"),
    "chinese": ("gb18030", "gb2312"),
    "chinese_t": ("big5",),
    "korean": ("cp949", "euc_kr"),
}


@pytest.mark.parametrize("language", TEXTS)
def test_a_hint_that_is_followed_gives_the_text_back_or_shows_what_each_would_read(language):
    texts = TEXTS[language]
    num_tried = 0
    for encoding in EASTERN.get(language, ENCODINGS):
        for text in (*texts, "\n".join(texts), "\n".join(texts * 20)):
            try:
                content = text.encode(encoding)
            except UnicodeEncodeError:
                continue
            num_tried += 1
            right = [name for name in likely_encodings(content) if content.decode(name) == text]
            assert right, (encoding, text)
            hint = encoding_hint(content)
            assert f"--encoding {right[0]}" in hint or right[0] in hint.rpartition("; or ")[2]
            if len(likely_encodings(content)) > 1:
                assert hint.count(" reads ") > 1
    assert num_tried


def test_letters_that_two_encodings_read_otherwise_are_found_far_into_a_file(tmp_path):
    rows = [{"prompt": f"Où est le reçu {i} ?", "completion": "déjà là"} for i in range(3000)]
    rows.append({"prompt": "5 \u20ac", "completion": "ok"})
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(text.encode("iso8859_15"))
    hint = check(path).problems[0].hint
    assert "iso8859_15" in hint
    assert "cp1252" in hint


def test_a_block_of_nuls_has_no_encoding(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\0" * 5000 + b"prompt,completion\nQ,A\n")
    problem = check(tmp_path / "a.csv").problems[0]
    assert "block of NULs" in problem.message
    assert "--encoding" not in problem.hint
