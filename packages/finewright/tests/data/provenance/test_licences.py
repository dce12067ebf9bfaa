"""Licences by a table of expressions, each judged by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finewright.catalog.licences import licences
from finewright.data.provenance.licences import (
    classes_of,
    judge,
    policy_problems,
    read_expression,
    same_licence,
    spdx_line,
    states_nothing,
)
from finewright.schema.provenance import LicensePolicy


@pytest.mark.parametrize(
    ("text", "expression", "classes"),
    [
        ("MIT", "MIT", ("permissive",)),
        ("apache-2.0", "Apache-2.0", ("permissive",)),
        ("GPL-3.0-only", "GPL-3.0-only", ("copyleft",)),
        ("GPL-2.0", "GPL-2.0-only", ("copyleft",)),
        ("LGPL-2.1-or-later", "LGPL-2.1-or-later", ("copyleft",)),
        ("LicenseRef-x", "LicenseRef-x", ("custom",)),
        ("LicenseRef-proprietary", "LicenseRef-proprietary", ("custom",)),
        ("Proprietary", "LicenseRef-proprietary", ("custom",)),
        ("MIT AND LicenseRef-x", "MIT AND LicenseRef-x", ("permissive", "custom")),
        ("MIT OR GPL-2.0", "MIT OR GPL-2.0-only", ("permissive", "copyleft")),
        ("Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception", ("permissive",)),
        ("CC-BY-NC-4.0", "CC-BY-NC-4.0", ("noncommercial",)),
        ("CC-BY-NC-SA-4.0", "CC-BY-NC-SA-4.0", ("noncommercial", "copyleft")),
        ("CC-BY-SA-4.0", "CC-BY-SA-4.0", ("copyleft",)),
        ("CC-BY-ND-4.0", "CC-BY-ND-4.0", ("restricted",)),
        ("CC0-1.0", "CC0-1.0", ("public-domain",)),
        ("BUSL-1.1", "BUSL-1.1", ("restricted",)),
        ("SEE LICENSE IN LICENSE.md", "", ("unknown",)),
        ("unknown", "", ("unknown",)),
        ("UNLICENSED", "", ("unknown",)),
        ("", "", ("unknown",)),
        ("MIT OR", "", ("unknown",)),
        ("((", "", ("unknown",)),
    ],
)
def test_an_expression_has_a_form_and_classes(
    text: str, expression: str, classes: tuple[str, ...]
) -> None:
    assert read_expression(text).expression == expression
    assert classes_of(text) == classes


@pytest.mark.parametrize(
    ("text", "fault", "hint"),
    [
        ("MITT", "'MITT' is no SPDX licence id", "did you mean MIT?"),
        ("Apache 2.0", "'Apache 2.0' is no SPDX licence id", "did you mean Apache-2.0?"),
        ("MIT AND GPL-3.0-olny", "'GPL-3.0-olny' is no SPDX licence id", "did you mean GPL-3.0-only?"),
        ("Apache-2.0 WITH LLVM-exeption", "'LLVM-exeption' is no SPDX licence id",
         "did you mean LLVM-exception?"),
        ("SEE LICENSE IN LICENSE.md", "'SEE LICENSE IN LICENSE.md' points elsewhere",
         "read that file and name its SPDX id"),
        ("MIT OR", "'MIT OR' is no SPDX expression", "write e.g. MIT, or MIT OR Apache-2.0"),
        ("LicenseRef-x", "", ""),
        ("MIT", "", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_the_mend(text: str, fault: str, hint: str) -> None:
    read = read_expression(text)
    assert (read.fault, read.hint) == (fault, hint)


ANY = LicensePolicy()
NO_COPYLEFT = LicensePolicy(deny=("copyleft", "noncommercial", "unknown"))
FREE = LicensePolicy(allow=("permissive",))


@pytest.mark.parametrize(
    ("text", "policy", "allowed"),
    [
        ("anything", ANY, True),
        ("MIT", NO_COPYLEFT, True),
        ("GPL-3.0-only", NO_COPYLEFT, False),
        ("LicenseRef-x", NO_COPYLEFT, True),
        ("proprietary", NO_COPYLEFT, True),
        ("proprietary", LicensePolicy(deny=("custom",)), False),
        ("proprietary", LicensePolicy(deny=("LicenseRef-proprietary",)), False),
        ("LicenseRef-x", LicensePolicy(allow=("permissive",)), False),
        ("LicenseRef-x", LicensePolicy(allow=("permissive", "custom")), True),
        ("LicenseRef-x", LicensePolicy(allow=("LicenseRef-x",), deny=("unknown",)), True),
        ("MIT OR GPL-2.0", NO_COPYLEFT, True),
        ("MIT AND GPL-2.0", NO_COPYLEFT, False),
        ("GPL-2.0 AND (MIT OR GPL-3.0-only)", NO_COPYLEFT, False),
        ("MIT AND (BSD-3-Clause OR GPL-2.0-only)", NO_COPYLEFT, True),
        ("MIT OR SEE LICENSE IN LICENSE.md", NO_COPYLEFT, True),
        ("Apache-2.0 WITH LLVM-exception", NO_COPYLEFT, True),
        ("Apache-2.0 WITH LLVM-exception", LicensePolicy(allow=("Apache-2.0",)), True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", NO_COPYLEFT, False),
        (
            "GPL-2.0-only WITH Classpath-exception-2.0",
            LicensePolicy(allow=("GPL-2.0-only WITH Classpath-exception-2.0",), deny=("copyleft",)),
            True,
        ),
        ("CC-BY-NC-4.0", NO_COPYLEFT, False),
        ("CC-BY-NC-4.0", LicensePolicy(deny=("copyleft",)), True),
        ("CC-BY-NC-SA-4.0", LicensePolicy(deny=("copyleft",)), False),
        ("CC-BY-NC-SA-4.0", LicensePolicy(allow=("permissive", "copyleft")), False),
        ("CC-BY-SA-4.0", NO_COPYLEFT, False),
        ("SEE LICENSE IN LICENSE.md", NO_COPYLEFT, False),
        ("unknown", NO_COPYLEFT, False),
        ("", NO_COPYLEFT, False),
        ("unknown", FREE, False),
        ("MIT", FREE, True),
        ("CC0-1.0", FREE, True),
        ("CC0-1.0", LicensePolicy(allow=("public-domain",)), True),
        ("MIT", LicensePolicy(allow=("public-domain",)), False),
        ("MIT", LicensePolicy(allow=("MIT",), deny=("permissive",)), True),
        ("MIT", LicensePolicy(allow=("permissive",), deny=("MIT",)), False),
        # The deprecated name and the present one are the same licence.
        ("GPL-3.0-only", LicensePolicy(deny=("GPL-3.0",)), False),
        # "or later" is a choice of versions: denying one leaves the others.
        ("GPL-3.0-or-later", LicensePolicy(deny=("GPL-3.0-only",)), False),
        ("GPL-2.0-or-later", LicensePolicy(deny=("GPL-3.0-only",)), True),
        ("GPL-2.0-or-later", LicensePolicy(deny=("GPL-2.0-or-later",)), False),
        ("GPL-3.0-only", LicensePolicy(allow=("GPL-2.0-or-later",)), True),
        ("GPL-2.0-only", LicensePolicy(allow=("GPL-3.0-or-later",)), False),
    ],
)
def test_a_policy_judges(text: str, policy: LicensePolicy, allowed: bool) -> None:
    found = judge(text, policy)
    assert found.allowed is allowed
    assert bool(found.why) is not allowed


def test_a_judgement_says_why() -> None:
    assert judge("GPL-3.0", NO_COPYLEFT).why == "GPL-3.0-only is copyleft, which is denied"
    assert judge("unknown", NO_COPYLEFT).why == "no licence is known, which is denied"
    assert judge("", FREE).why == "an unknown licence is not among the allowed"
    assert judge("ISC", LicensePolicy(allow=("MIT",))).why == "ISC is not among the allowed"


def test_a_policy_of_wrong_names_is_said() -> None:
    policy = LicensePolicy(allow=("MITT", "MIT", "permissive"), deny=("copylefft", "MIT OR ISC"))
    found = {p.key: (p.level, p.hint) for p in policy_problems(policy)[:2]}
    assert found == {
        "data.licenses.allow": ("error", "did you mean MIT?"),
        "data.licenses.deny": ("error", "did you mean copyleft?"),
    }
    assert len(policy_problems(policy)) == 3


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("// SPDX-License-Identifier: MIT\npragma solidity ^0.8.0;", "MIT"),
        ("# SPDX-License-Identifier: GPL-3.0-or-later\nimport os", "GPL-3.0-or-later"),
        ("/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */", "Apache-2.0 WITH LLVM-exception"),
        ("<!-- SPDX-License-Identifier: CC-BY-4.0 -->", "CC-BY-4.0"),
        ("// SPDX-License-Identifier: MIT\n...\n// SPDX-License-Identifier: MIT", "MIT"),
        ("// SPDX-License-Identifier: MIT OR ISC\r\n# SPDX-License-Identifier: X", "(MIT OR ISC) AND X"),
        ("// SPDX-License-Identifier:\ncontract A {}", ""),
        ("licensed under MIT", ""),
    ],
)  # fmt: skip
def test_spdx_lines_are_read(text: str, licence: str) -> None:
    assert spdx_line(text) == licence


def test_every_id_of_the_catalog_is_one_of_spdx() -> None:
    for key in licences().licences:
        assert read_expression(key).fault == ""


@settings(max_examples=300)
@given(st.lists(st.sampled_from([*"()+:;&|~ ", "MIT", " AND ", " OR ", " WITH ", "x", "not "])))
def test_no_text_is_too_odd_to_read(pieces: list[str]) -> None:
    read = read_expression("".join(pieces))
    assert read.parts
    assert judge("".join(pieces), NO_COPYLEFT).allowed in {True, False}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("MIT", "mit", True),
        ("GPL-2.0", "GPL-2.0-only", True),
        ("MIT OR ISC", "(MIT OR ISC)", True),
        ("MIT", "ISC", False),
        ("MIT", "MIT OR ISC", False),
    ],
)
def test_two_names_of_one_licence_are_the_same(one: str, other: str, same: bool) -> None:
    assert same_licence(one, other) is same


@pytest.mark.parametrize(
    ("text", "nothing"),
    [
        ("", True),
        ("unknown", True),
        ("See licence in LICENSE.md", True),
        ("MIT", False),
        ("x", False),
    ],
)
def test_what_names_no_licence(text: str, nothing: bool) -> None:
    assert states_nothing(text) is nothing
