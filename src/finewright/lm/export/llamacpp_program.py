"""llama.cpp's greedy answers to given tokens, as a program of its own: nothing of finewright is imported.

A damaged file ends llama.cpp's process, so it is never run in ours. Reads a JSON object from standard input,
and writes one as the last line of standard output."""

import json
import sys
import urllib.request
from typing import Any


def answer(given: dict[str, Any]) -> dict[str, Any]:
    """Of each prompt its answer's tokens, the one that ended it, and log-probabilities where llama.cpp gives
    one for each; of each conversation the text and the tokens that it becomes."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = given["model"]
    parameters.n_ctx, parameters.n_parallel = given["context"], 1
    parameters.warmup = False
    for threads in (parameters.cpuparams, parameters.cpuparams_batch):
        threads.n_threads = given["threads"]
    if given["adapter"]:
        parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(given["adapter"], 1.0)]
    server = xllamacpp.Server(parameters)  # it ends with its last name
    url = server.listening_address
    return {
        "answers": [_answer(url, ids, given) for ids in given["prompts"]],
        "renderings": [_rendering(url, body) for body in given["conversations"]],
        "tokens": [_tokens(url, text) for text in given["texts"]],
        "version": xllamacpp.__version__,
    }


def _answer(url: str, ids: list[int], given: dict[str, Any]) -> dict[str, Any]:
    wanted = {
        "n_predict": given["max_new_tokens"],
        "temperature": 0,
        "n_probs": 1,
        "return_tokens": True,
    }
    found = _post(f"{url}/completion", {"prompt": ids, "cache_prompt": False, **wanted})
    scores = [each["logprob"] for each in found.get("completion_probabilities") or ()]
    is_whole = len(scores) == len(found["tokens"])  # a token that is half a character has none
    *before, last = found["tokens"] or [None]
    # It gives the token that ended an answer as the last one; it knows ends by their text too, so that
    # this may be another than the model's own.
    ended = found["stop_type"] == "eos"
    return {
        "ids": before if ended else found["tokens"],
        "stop_id": last if ended else None,
        "logps": scores if is_whole else None,
    }


def _rendering(url: str, body: dict[str, Any]) -> str:
    try:
        return str(_post(f"{url}/apply-template", body)["prompt"])
    except OSError as error:
        return f"error: {error}"


def _tokens(url: str, text: str) -> list[int]:
    body = {"content": text, "add_special": False, "parse_special": True}
    return [int(token) for token in _post(f"{url}/tokenize", body)["tokens"]]


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - our own server on this machine
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:  # noqa: S310
        found: dict[str, Any] = json.load(response)
    return found


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(answer(json.load(sys.stdin))) + "\n")
