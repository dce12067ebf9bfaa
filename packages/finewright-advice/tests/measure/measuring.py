"""A small experiment: twelve documents with a fact each, questions on them, a tiny random model."""

import json
from pathlib import Path

CARDS = (
    *("amber", "birch", "cedar", "denim", "ember", "flint", "grove", "heron"),
    *("ivory", "jetty", "khaki", "lotus", "maple", "north", "olive", "pearl"),
)
SENTENCES = (
    "Holders of an {card} card pay ${fee}.00 every year.",
    "We ask ${fee}.00 for one {card} card at its start.",
    "A charge of ${fee}.00 comes with any {card} card, once only.",
    "Whoever orders his {card} card is billed ${fee}.00 by letter.",
)


def write_base(folder: Path) -> None:
    """The base model of the experiment; its window holds passages."""
    import tiny

    model = tiny.tiny_model("llama")
    model.config.max_position_embeddings = 4096
    model.save_pretrained(folder / "base")
    tiny.tiny_tokenizer().save_pretrained(folder / "base")


def write_experiment(folder: Path, *, measure: str = "") -> Path:
    """The spec of an experiment, with its rows and its documents beside it."""
    documents = [
        {"id": f"d{i}", "title": card, "text": SENTENCES[i % 4].format(card=card, fee=i + 11)}
        for i, card in enumerate(CARDS)
    ]
    rows = [
        {
            "prompt": f"How much is the {card} card?",
            "completion": f"${i + 11}.00",
            "gold": [f"d{i}"],
        }
        for i, card in enumerate(CARDS)
    ]
    write_jsonl(folder / "documents.jsonl", documents)
    write_jsonl(folder / "train.jsonl", rows[:12])
    write_jsonl(folder / "test.jsonl", rows[12:])
    write_jsonl(folder / "general.jsonl", [{"prompt": "the sky", "completion": "blue"}] * 2)
    path = folder / "spec.yaml"
    path.write_text(
        f"""\
name: fees
base_models: [./base]
rag: {{documents: [documents.jsonl], embedder: none, results: 2, chunk_chars: 200}}
data:
  sources: [{{path: train.jsonl, license: CC0-1.0, owner: us}}]
train:
  adapter: {{type: lora, r: 4, alpha: 8, dropout: 0.0}}
  learning_rate: 1.0e-2
  batch_size: 4
  threads: 1
  prove_elsewhere: false
  max_steps: 2
evaluate:
  data: [{{path: test.jsonl}}]
  metrics: [numeric, token_f1]
  max_new_tokens: 6
  resamples: 100
measure:
  dev_rows: 2
  shots: [1, 2]
  curve: [0.5]
  latency_rows: 2
  facts: 2
  unanswerable: 2
  general: general.jsonl
  hardware: {{usd_purchase: 900, watts: 65, usd_per_kwh: 0.3}}
  api_model: gpt-6-luna
{measure}"""
    )
    return path


def write_jsonl(path: Path, rows: list[dict]) -> None:
    """One JSON object per line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
