"""NatSpec as Markdown: what each tag and each AsciiDoc mark becomes."""

import pytest

from finewright_web3.natspec import first_statement, read_natspec


def test_tags_become_sections():
    natspec = read_natspec(
        "@title A vault\n@author Somebody\n@notice Holds tokens.\n@dev Of anyone.\n"
        "@param to who gets\n       them\n@param _ id\n@return amount what is left\n@return ok\n"
        "@custom:storage-location erc7201:x"
    )
    assert natspec.said == "A vault\n\nHolds tokens.\n\nOf anyone."
    assert natspec.params == (("to", "who gets them"), ("_", "id"))
    assert natspec.returns == ("amount what is left", "ok")
    assert natspec.markdown() == (
        "A vault\n\nHolds tokens.\n\nOf anyone.\n\n- `to`: who gets them\n- `_`: id\n\n"
        "- returns amount what is left\n- returns ok"
    )


def test_text_before_any_tag_is_said():
    assert read_natspec("Plain words.\n\nMore.").said == "Plain words.\n\nMore."
    assert read_natspec("").markdown() == ""


def test_a_comment_that_takes_over_anothers_says_whose():
    natspec = read_natspec("@inheritdoc ERC165")
    assert natspec.said == ""
    assert natspec.markdown() == "Inherits the documentation of `ERC165`."


@pytest.mark.parametrize(
    ("asciidoc", "markdown"),
    [
        ("See {IERC20-approve}.", "See `IERC20.approve`."),
        ("`{IERC20-approve}` is", "`IERC20.approve` is"),
        ("{IERC20-approve}[the approval]", "the approval"),
        ("Is {f-uint256-bytes[]-} used", "Is `f(uint256,bytes[])` used"),
        ("{A-f-address-} or {_f-}", "`A.f(address)` or `_f()`"),
        ("{encode-bool} of {ERC20}", "`encode(bool)` of `ERC20`"),
        ("{safeTransferFrom(address,uint256)}", "`safeTransferFrom(address,uint256)`"),
        ("the `\\{id\\}` part", "the `{id}` part"),
        ("xref:ROOT:erc20.adoc#supply[How supply works]", "How supply works"),
        ("link:https://a.example/b[B]", "[B](https://a.example/b)"),
        ("(https://a.example/Set_(x)[sets])", "([sets](https://a.example/Set_(x)))"),
        ("[link](https://a.example)", "[link](https://a.example)"),
        ("[IMPORTANT]\n====\nMind it.\n====", "IMPORTANT: Mind it."),
        (" [IMPORTANT]\n ====\n Mind it.", "IMPORTANT: Mind it."),
        ("== Custody", "### Custody"),
        ("* one\n* two\n  * three", "- one\n- two\n  - three"),
        ("a\n\n\n\nb", "a\n\nb"),
        ("_emphasis_ and 2 * 3", "_emphasis_ and 2 * 3"),
    ],
)
def test_asciidoc_becomes_markdown(asciidoc, markdown):
    assert read_natspec(asciidoc).said == markdown


def test_code_blocks_stay_as_they_are():
    block = "```solidity\nimport {ERC20} from x;\n* y;\n```"
    assert read_natspec(f"Use {{ERC20}}:\n\n{block}").said == f"Use `ERC20`:\n\n{block}"


def test_what_a_param_requires_is_a_sentence_of_its_own():
    natspec = read_natspec("@param a address of it\n Emits an Event\n@param b over\n two lines")
    assert natspec.params == (("a", "address of it. Emits an Event"), ("b", "over two lines"))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One\nline.\n\nAnother.", "One line."),
        ("Either:\n\n- a\n- b\n\nEnd.", "Either:\n- a\n- b"),
        ("Either:\n- a\n- b c\n  d", "Either:\n- a\n- b c d"),
        ("See `A-b`. Does more than that.", "Does more than that."),
        ("See `A-b`.", "See `A-b`."),
        ("Does that. See `A-b`\n\nMore.", "Does that."),
        ("Does that. See `A-b` for more.", "Does that. See `A-b` for more."),
        (
            "returns it\n`a` is the first\n`b` is the next",
            "returns it\n`a` is the first\n`b` is the next",
        ),
        ("no full stop\nAnother sentence follows", "no full stop\nAnother sentence follows"),
        ("a list,\n\nwhich goes on", "a list,\nwhich goes on"),
    ],
)
def test_the_first_statement_is_whole_and_without_line_breaks(text, first):
    assert first_statement(text) == first
