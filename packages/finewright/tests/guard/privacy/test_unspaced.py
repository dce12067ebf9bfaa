"""Values with words of a script without spaces inside them, and beside them."""

import time

import pytest

from finewright.guard.privacy.find import find

LOGIN = "postgres://svc:hR6tq9Zb2LmW@db.example.org:5432/app"


@pytest.mark.parametrize(
    "value",
    [
        "mongodb://管理:hR6tq9Zb2LmW@db.example.org:27017/app",
        "postgres://svc:hR6tq9密Zb2LmW@db.example.org:5432/app",
        "postgres://svc:hR6tq9\uff01Zb2LmW@db.example.org/app",
        "postgres://svc:hR6tq9\u200bZb2LmW@db.example.org/app",
        "postgres://svc:hR6tq9Zb2LmW@数据库.example.org/app",
        "postgres://svc:hR6tq9Zb2LmW@db.例え.jp:5432/app",
        "postgres://svc:hR6tq9Zb2LmW@db.example.org/app?sslpassword=hR密6tq9",
        "https://user:密码123@host.example.org/x",
    ],
)
def test_a_login_stays_in_no_part_whatever_is_in_it(value):
    text = f"用 {value} 谢谢"
    (span,) = find(text, {"connection_string", "email"})
    assert text[span.start : span.end] == value


@pytest.mark.parametrize("after", ["谢谢", "\uff0c请检查config文件", "です\u3002"])
@pytest.mark.parametrize("value", [LOGIN, "redis://:hR6tq9Zb2LmW@cache.example.org"])
def test_a_login_ends_where_the_sentence_goes_on(value, after):
    (span,) = find(value + after, {"connection_string"})
    assert (value + after)[: span.end] == value


@pytest.mark.parametrize(
    "value", ["hR6tq9\u200bZb2LmW", "hR密6tq9Zb2LmW", "hR6tq9密Zb2LmW", "hR6密密密"]
)
def test_a_password_keeps_what_is_inside_it(value):
    text = f"password: {value}"
    (span,) = find(text, {"password"})
    assert text[span.start : span.end] == value


def test_a_password_ends_where_the_sentence_goes_on():
    (span,) = find("密码\uff1ahR6tq9Zb2LmW谢谢", {"password"})
    assert (span.start, span.end) == (3, 15)


@pytest.mark.parametrize(
    "value",
    [
        "https://www.例え.jp/secret/path",
        "https://shop例え.jp/u/1",
        "http://news.中国/user/1",
        "https://example.com\u200b/reset?token=abcdef",
        "https://ja.wikipedia.org/wiki/けいおん\uff01",
        "https://zh.wikipedia.org/wiki/苹果\uff08公司\uff09",
        "https://example.org/搜索\uff1fq=ann",
        "https://example.org/a\uff0cb",
        "https://example.org/a\uff08新\uff09?token=abcdef",
        "www.example.org/日本語",
    ],
)
def test_a_link_keeps_what_may_be_of_it(value):
    (span,) = find(value, {"url"})
    assert value[span.start : span.end] == value


@pytest.mark.parametrize(
    ("value", "after"),
    [
        ("https://example.org/a", "\uff0c请看"),
        ("https://example.org/a", "\u300dと言った"),
        ("https://example.org:8080", "です"),
        ("https://zh.wikipedia.org/wiki/苹果", "\uff0c我很喜欢\u3002"),
        ("https://zh.wikipedia.org/wiki/苹果", "\uff09"),
        ("www.example.org", "和www.example.com"),
    ],
)
def test_a_link_ends_where_the_sentence_goes_on(value, after):
    text = f"\uff08见{value}{after}"
    span = find(text, {"url"})[0]
    assert text[span.start : span.end] == value


@pytest.mark.parametrize(
    "value", ["用户(at)例子.公司", "张三[at]公司.中国", "wei(at)例子.中国", "wei@例子.中国"]
)
def test_an_address_may_be_of_such_words(value):
    (span,) = find(value, {"email"})
    assert value[span.start : span.end] == value


@pytest.mark.parametrize(
    "text",
    [
        "使用@app.route装饰器可以把URL绑定到函数上面去执行对应的处理逻辑和其他的各种东西",
        "转发@张三.今天天气真好啊我们一起去公园玩吧大家快来参加这个活动啊真的非常好玩",
    ],
)
def test_words_on_both_sides_of_a_sign_are_no_address(text):
    assert not find(text, {"email"})


@pytest.mark.parametrize("link", ["https://a.b", "www.ab.cd,", "(https://a.bc/x\uff0c中"])
def test_thousands_of_links_in_one_run_take_no_time(link):
    began = time.process_time()
    assert find(link * 20_000 + ")", {"url"})
    assert time.process_time() - began < 2
