"""`decide --measure`: what is missing is one line, before anything is loaded."""

from pathlib import Path

from cli.conftest import Finewright


def test_without_a_spec_nothing_is_asked(finewright: Finewright, project: Path) -> None:
    found = finewright("decide", "--measure")
    assert (found.code, found.out) == (2, "")
    assert found.err == (
        "error: --measure: needs a run spec\n hint: finewright decide --measure SPEC\n"
    )
    assert not (project / "decide.yaml").exists()


def test_a_spec_without_the_section_is_told_what_to_write(finewright: Finewright) -> None:
    found = finewright("decide", "--measure", "spec.yaml")
    assert found.code == 2
    assert found.err == (
        "error: spec.yaml: there is no `measure` section\n"
        " hint: write `measure: {}`; every key of it has a default\n"
    )


def test_a_spec_of_decide_alone_is_told_which_spec_is_measured(
    finewright: Finewright, project: Path
) -> None:
    (project / "weigh.yaml").write_text("name: weigh\ndecide: {knowledge_gap: 1}\n")
    found = finewright("decide", "--measure", "weigh.yaml")
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("error: weigh.yaml:1: base_models: required key is missing\n")
    assert found.err.endswith(
        " hint: --measure reads a run spec with `measure: {}`: docs/measure.md\n"
    )


def test_an_arm_that_is_none_is_named_with_its_line(finewright: Finewright, project: Path) -> None:
    with (project / "spec.yaml").open("a") as file:
        file.write("measure: {arms: [0-shot, raft]}\n")
    found = finewright("decide", "--measure", "spec.yaml")
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("error: spec.yaml:8: measure.arms.1: must be ")


def test_documents_are_needed_where_an_arm_leans_on_them(
    finewright: Finewright, project: Path
) -> None:
    with (project / "spec.yaml").open("a") as file:
        file.write("measure: {}\n")
    found = finewright("decide", "--measure", "spec.yaml", "--json")
    assert found.err.startswith(
        "error: spec.yaml: rag: there is no such section, and the options rag"
    )
