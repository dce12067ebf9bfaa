"""Tokens a second of the generation engine beside llama.cpp and transformers, and the bars it must hold.

    python benchmarks/generate.py --bars                          # SmolLM2 135M, about 10 minutes
    python benchmarks/generate.py --bars --model gemma3-270m
    python benchmarks/generate.py --memory                        # 64 streams of 1,024 tokens, a minute
    python benchmarks/generate.py --threads 1 --streams 1,8       # on a machine that others use too
    python benchmarks/generate.py --streams 1 --only q8_0,int8    # a part: under a minute a repeat
    python benchmarks/generate.py --streams 1 --only finewright --prompt-tokens 8000 --new-tokens 1

Prompts of random tokens, greedy, the same number of new tokens for every stream, prompts included in the
time; each engine is a process of its own, and repeats alternate, so that a ratio is of two runs side by side.
Files of llama.cpp are written here from the same weights. A plain read is torch's sum over as many bytes as a
step reads of weights, by as many threads, just before and after; one stream's share of it is bytes of weights
times tokens a second, the prompt's time included. `first` is the seconds until half of 8 streams have their
first token; adapters are measured with 32 streams. Threads of both engines wait by spinning: beside other
work give them one. The wheel of llama.cpp is built for AVX2: `--llama-cpp` measures one that was built from
source for the processor."""

import argparse
import json
import random
import statistics
import sys
import tempfile
from pathlib import Path

from bars import Bar, finish, parser_of
from finewright.lm import sources
from finewright.lm.load_chat import load_chat
from finewright.report.columns import table
from finewright_bridge.export.gguf_file import write_model
from peers import LLAMA_CPP, python_of
from process import Figures, figures_of, in_turns, machine, thread_settings, write_figures

ROWS = Path(__file__).parent / "rows"
FORMS = {"bf16": "none", "int8": "int8", "nf4": "nf4"}
FILES = ("bf16", "q8_0", "q4_k_m")
OWN, PLAIN = [f"finewright {form}" for form in FORMS], "transformers bf16"
LLAMA = [f"llama.cpp {file}" for file in FILES]


def main() -> int:
    options = parse()
    before = machine()
    if options.memory:
        return finish([memory_bar(options)], options)
    with tempfile.TemporaryDirectory() as folder:
        job = write_job(options, Path(folder))
        wanted = [name for name in (*OWN, *LLAMA, PLAIN) if is_wanted(name, options)]
        found = in_turns(wanted, options.repeats, lambda name: run(name, job, options))
    runs = found.of
    sizes = options.streams.split(",")
    print(report(runs, sizes))
    print(f"other processes used {before['cores_others_use']} cores at the start\n")
    write_figures(options, machine=before, rows=found._asdict())
    return finish(bars_of(runs, sizes), options)


def parse() -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("--model", default="smollm2-135m-instruct", help="a packaged one")
    parser.add_argument("--streams", default="1,8,32,64", help="answers at the same time")
    parser.add_argument("--prompt-tokens", type=int, default=32)
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="contenders whose names have one of these words")
    parser.add_argument(
        "--llama-cpp", default="", help="a Python whose xllamacpp is of this machine"
    )
    parser.add_argument("--memory", action="store_true", help="measure memory, and end")
    parser.add_argument("--json", type=Path, help="also write every figure here")
    return parser.parse_args()


def write_job(options: argparse.Namespace, folder: Path) -> Path:
    """Prompts, and the files that llama.cpp reads."""
    base = sources.locate(options.model, Path.cwd())
    chat = load_chat(base)
    for file in FILES:
        if is_wanted(f"llama.cpp {file}", options):
            write_model(folder / f"{file}.gguf", base.folder, chat, file, options.model)
    sizes = [int(size) for size in options.streams.split(",")]
    draw = random.Random(0)  # noqa: S311 - not a secret
    size = len(chat.tokenizer)
    tokens = range(min(1000, size // 2), size)  # the first may be control tokens
    job = {
        "model": str(base.folder),
        "prompts": [draw.choices(tokens, k=options.prompt_tokens) for _ in range(max(16, *sizes))],
        "batches": sizes,
        "new_tokens": options.new_tokens,
        "threads": options.threads,
    }
    for file in FILES:
        content = json.dumps(job | {"gguf": str(folder / f"{file}.gguf")})
        (folder / f"{file}.json").write_text(content, encoding="utf-8")
    return folder


def is_wanted(name: str, options: argparse.Namespace) -> bool:
    return not options.only or any(word in name for word in options.only.split(","))


def run(name: str, folder: Path, options: argparse.Namespace) -> Figures:
    """One process."""
    engine, form = name.split()
    if engine == "llama.cpp":
        python = options.llama_cpp or python_of(LLAMA_CPP)
        command = [python, "llamacpp_row.py", str(folder / f"{form}.json"), engine]
    elif engine == "finewright":
        command = [sys.executable, "engine_row.py", str(folder / "bf16.json"), FORMS[form]]
    else:
        command = [sys.executable, "generate_row.py", str(folder / "bf16.json"), engine]
    command[1] = str(ROWS / command[1])
    return figures_of(command, {"HF_HUB_OFFLINE": "1", **thread_settings(options.threads)})


def report(runs: dict[str, list[Figures]], sizes: list[str]) -> str:
    """Medians."""
    lines = []
    for name, of_engine in runs.items():
        speeds = [f"{middle(of_engine, size):.0f}" for size in sizes]
        first = (
            f"{middle(of_engine, 'first_token_s'):.3f}" if "first_token_s" in of_engine[0] else ""
        )
        lines.append([name, *speeds, first, f"{middle(of_engine, 'peak_gib'):.2f}"])
    return table(["engine", *(f"streams {size}" for size in sizes), "first", "peak GiB"], lines)


def middle(of_engine: list[Figures], figure: str) -> float:
    return float(statistics.median(run[figure] for run in of_engine))


def bars_of(runs: dict[str, list[Figures]], sizes: list[str]) -> list[Bar]:
    """Of what was measured; ratios are medians over repeats."""
    bars = []

    def ratio(own: str, other: str, figure: str, least: float, *, turned: bool = False) -> None:
        if own in runs and other in runs and figure in runs[own][0] and figure in runs[other][0]:
            pairs = zip(runs[own], runs[other], strict=False)
            ratios = [
                (b[figure] / a[figure] if turned else a[figure] / b[figure]) for a, b in pairs
            ]
            what = "first token at 8 streams" if turned else f"streams {figure}"
            bars.append(Bar(f"{what}: {own} / {other}", statistics.median(ratios), least))

    exact, int8, nf4 = OWN
    if "1" in sizes and exact in runs:
        bars.append(
            Bar("streams 1: share of a plain read", middle(runs[exact], "share_of_read"), 0.7)
        )
    ratio(exact, "llama.cpp bf16", "1", 1.0)
    ratio(int8, "llama.cpp q8_0", "1", 1.0)
    ratio(nf4, "llama.cpp q4_k_m", "1", 1.0)
    for size, least in (("8", 2.0), ("32", 3.0), ("64", 4.0)):
        ratio(exact, "llama.cpp bf16", size, least)
        ratio(int8, "llama.cpp q8_0", size, least)
        ratio(nf4, "llama.cpp q4_k_m", size, least)
    ratio(exact, "llama.cpp bf16", "first_token_s", 1.0, turned=True)
    if "32" in sizes and exact in runs:
        bars.append(Bar("16 streams: 8 adapters / 1", middle(runs[exact], "eight_adapters"), 0.85))
    return bars


def memory_bar(options: argparse.Namespace) -> Bar:
    """What 64 streams of 1,024 tokens took, as a share of what a server announces for them."""
    model = str(sources.locate(options.model, Path.cwd()).folder)
    command = [sys.executable, str(ROWS / "memory_row.py"), model, str(options.threads)]
    found = figures_of(command, {"HF_HUB_OFFLINE": "1", **thread_settings(options.threads)})
    on = f"{found['taken_gib']:.2f} GiB for {found['tokens']} tokens; announced {found['announced_gib']:.2f}"
    share = found["taken_gib"] / found["announced_gib"]
    return Bar("64 streams of 1,024 tokens: memory / announced", share, 1.0, True, on)


if __name__ == "__main__":
    sys.exit(main())
