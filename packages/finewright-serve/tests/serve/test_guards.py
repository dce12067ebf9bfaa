"""Guards of a real server, asked by the official client."""

from pathlib import Path

import openai
import pytest

from serve.serving import counted, save_base, started, stop

pytestmark = pytest.mark.torch

SPEC = """
name: guarded
serve:
  port: 0
  max_tokens: 20
  guards:
    - {guard: deny, input: block, output: redact, settings: {words: [kestrel]}}
    - {guard: personal_data, input: redact}
"""


def test_a_real_server_guards_what_comes_in_and_says_so(tmp_path: Path) -> None:
    save_base(tmp_path)
    serving = started(tmp_path, "./base", spec=SPEC)
    try:
        chat = serving.client.chat.completions
        with pytest.raises(openai.BadRequestError) as refused:
            chat.create(model="base", messages=[{"role": "user", "content": "Kestrel?"}])
        assert refused.value.code == "content_filter"
        asked = [{"role": "user", "content": "i am ann@example.com"}]
        found = chat.create(model="base", messages=asked, max_tokens=4)
        assert found.model_extra["guards"][0]["what"] == "email"
        same = [{"role": "user", "content": "i am [EMAIL]"}]
        again = chat.create(model="base", messages=same, max_tokens=4)
        assert again.usage.prompt_tokens == found.usage.prompt_tokens
        assert again.choices[0].message.content == found.choices[0].message.content
        name = 'finewright_guard_decisions_total{action="block",guard="deny",side="input"}'
        assert counted(serving, name) == 1
    finally:
        stop(serving)
