"""examples/gateway.yaml is a spec, and its keys are those of docs/gateway.md."""

from finewright.schema.load_section import load_section
from finewright_serve.spec import ServeSpec
from installed import ROOT


def test_the_example_of_the_gateway_loads_with_an_audit_and_limits() -> None:
    path = ROOT / "examples" / "gateway.yaml"
    spec = load_section("serve", ServeSpec, path).spec
    assert spec.audit is not None
    assert (spec.audit.words, spec.limits.when_away) == (False, "closed")
    assert f"finewright serve --spec examples/{path.name}" in path.read_text(encoding="utf-8")
