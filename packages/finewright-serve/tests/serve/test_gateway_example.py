"""examples/gateway.yaml is a spec, and its keys are those of docs/gateway.md."""

from pathlib import Path

import pytest

from finewright.errors import FinewrightError
from finewright.schema.load_section import load_section
from finewright_serve.spec import ServeSpec
from installed import ROOT


def test_the_example_of_the_gateway_loads_with_an_audit_and_limits() -> None:
    path = ROOT / "examples" / "gateway.yaml"
    spec = load_section("serve", ServeSpec, path).spec
    assert spec.audit is not None
    assert (spec.audit.words, spec.limits.when_away) == (False, "closed")
    assert f"finewright serve --spec examples/{path.name}" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("target", ["model.gguf", "https://models.example.com/v1#m"])
def test_a_watermark_is_refused_where_another_engine_chooses_the_tokens(
    target: str, tmp_path: Path
) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text(f"name: a\nserve: {{watermark: {{}}, models: ['{target}']}}\n")
    with pytest.raises(FinewrightError, match=f"watermark: {target} is served by engine") as caught:
        load_section("serve", ServeSpec, path)
    assert "\n" not in str(caught.value)
