"""llama.cpp as a program of its own: nothing of finewright is imported.

A damaged file ends llama.cpp's process, so it is never run in ours. Reads a line of JSON from standard input,
and writes one as the last line of standard output: greedy answers to given tokens or, for `serve`, the
address of a server that lives until standard input ends."""

import json
import os
import sys
import urllib.request
from collections.abc import Sequence
from typing import Any

_PROBE_TOKENS = 10
_GAIN = 1.1


def answer(given: dict[str, Any]) -> dict[str, Any]:
    """Of each prompt its answer's tokens, the one that ended it, and log-probabilities where llama.cpp gives
    one for each; of each text and of each conversation the tokens that it becomes."""
    import xllamacpp

    adapters = [given["adapter"]] if given["adapter"] else []
    parameters = _parameters(given["model"], adapters, given["threads"])
    parameters.n_ctx, parameters.n_parallel = given["context"], 1
    server = xllamacpp.Server(parameters)  # it ends with its last name
    url = server.listening_address
    return {
        "answers": [_answer(url, ids, given) for ids in given["prompts"]],
        "conversations": [_read(url, body) for body in given["conversations"]],
        "tokens": [_tokens(url, text) for text in given["texts"]],
        "version": xllamacpp.__version__,
    }


def serve(given: dict[str, Any]) -> None:
    """Say where the server is and how many threads are quickest, and live until standard input ends.

    More threads than there are idle cores wait for each other, many times slower, so their number is
    measured: 1, 2, 4 and on, until one more does not make it faster by a tenth."""
    import xllamacpp

    speeds: dict[int, float] = {}
    for threads in given["threads"] if len(given["threads"]) > 1 else ():
        speeds[threads] = _tokens_per_second(given["model"], threads)
        if speeds[threads] < _GAIN * max([*speeds.values()][:-1], default=0.0):
            break
    best = _quickest(speeds) if speeds else given["threads"][0]
    parameters = _parameters(given["model"], given["adapters"], best)
    parameters.n_parallel = given["parallel"]
    parameters.n_ctx = given["context"] * given["parallel"]
    parameters.api_keys = [given["key"]]
    parameters.lora_init_without_apply = True
    parameters.ui = False
    parameters.verbosity = -1
    server = xllamacpp.Server(parameters)
    found = {"url": server.listening_address, "threads": best, "speeds": speeds}
    sys.stdout.write("\n" + json.dumps({**found, "version": xllamacpp.__version__}) + "\n")
    sys.stdout.flush()
    quiet = os.open(os.devnull, os.O_WRONLY)  # what it writes of each request fills no file
    os.dup2(quiet, 2)
    sys.stdin.read()
    os._exit(0)


def _quickest(speeds: dict[int, float]) -> int:
    """The fewest threads that are not beaten by a tenth."""
    best = min(speeds)
    for threads in sorted(speeds):
        best = threads if speeds[threads] > _GAIN * speeds[best] else best
    return best


def _tokens_per_second(model: str, threads: int) -> float:
    import xllamacpp

    parameters = _parameters(model, (), threads)
    parameters.n_ctx, parameters.n_parallel = 256, 1
    server = xllamacpp.Server(parameters)
    body = {"prompt": "The", "n_predict": _PROBE_TOKENS, "ignore_eos": True}
    runs = [_post(f"{server.listening_address}/completion", body) for _ in range(2)]
    return max(float(run["timings"]["predicted_per_second"]) for run in runs)


def _parameters(model: str, adapters: Sequence[str], threads: int) -> Any:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.warmup = False
    for each in (parameters.cpuparams, parameters.cpuparams_batch):
        each.n_threads = threads
    if adapters:
        parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(a, 1.0) for a in adapters]
    return parameters


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


def _read(url: str, body: dict[str, Any]) -> list[int]:
    """Nothing where it cannot be rendered. Where llama.cpp adds the token that begins a text by itself, the
    template's own has been taken away, so the text alone would not do."""
    try:
        text = str(_post(f"{url}/apply-template", body)["prompt"])
    except OSError:
        return []
    return _tokens(url, text, add_special=True)


def _tokens(url: str, text: str, *, add_special: bool = False) -> list[int]:
    body = {"content": text, "add_special": add_special, "parse_special": True}
    return [int(token) for token in _post(f"{url}/tokenize", body)["tokens"]]


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - our own server on this machine
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:  # noqa: S310
        found: dict[str, Any] = json.load(response)
    return found


if __name__ == "__main__":
    wanted = json.loads(sys.stdin.readline())
    if wanted.get("serve"):
        serve(wanted)
    else:
        sys.stdout.write("\n" + json.dumps(answer(wanted)) + "\n")
