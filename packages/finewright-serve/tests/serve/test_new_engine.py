"""An engine of another package is one of finewright's own: the one in examples/packages/faq."""

import json
import os
from pathlib import Path

import pytest

from finewright import plugins
from finewright_serve.spec import OWN_ENGINES
from installed import SRC, Site
from serve.serving import started, stop

SPEC = """\
name: help
serve:
  port: 0
  models:
    - {target: questions.json, id: help, engine: faq, settings: {otherwise: Please call us.}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.install("faq")
    return site


def test_its_own_suite_passes(site: Site) -> None:
    done = site.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "site/test_faq.py")
    assert (done.returncode, "13 passed" in done.stdout) == (0, True), done.stdout


@pytest.mark.usefixtures("site")
def test_it_answers_behind_the_gateway(tmp_path: Path) -> None:
    (tmp_path / "questions.json").write_text(json.dumps({"Opening hours?": "From 9 to 5."}))
    path = os.pathsep.join([str(tmp_path / "site"), str(SRC)])
    serving = started(tmp_path, spec=SPEC, environ={"PYTHONPATH": path}, is_cold=True)
    try:
        said = []
        for text in ("Opening hours?", "And on Sunday?"):
            asked = [{"role": "user", "content": text}]
            found = serving.client.chat.completions.create(model="help", messages=asked)
            said.append(found.choices[0].message.content)
        assert said == ["From 9 to 5.", "Please call us."]
        assert [model.engine for model in serving.client.models.list().data] == ["faq"]
    finally:
        stop(serving)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("engine: faq", "engine: faqq", "did you mean 'faq'?"),
        ("questions.json", "nothing.json", "nothing.json: no JSON of questions and answers"),
        ("engine: faq", "engine: llamacpp", "settings: are for an engine of another package"),
    ],
)
def test_what_cannot_be_served_is_one_line(
    site: Site, tmp_path: Path, old: str, new: str, what: str
) -> None:
    (tmp_path / "serve.yaml").write_text(SPEC.replace(old, new))
    refused = site.python("-m", "finewright", "serve", "--spec", "serve.yaml")
    assert refused.returncode == 2
    assert what in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_engines_of_this_package_are_those_that_it_registers() -> None:
    points = plugins.find_installed("engine")
    ours = {point.name for point in points if point.module.startswith("finewright_serve.")}
    assert ours == set(OWN_ENGINES)
