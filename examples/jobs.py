"""A fine-tuning job by OpenAI's client, on a server of one's own, from a file to an answer:

finewright serve smollm2-135m-instruct        # shows a key at its first start
OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=fw-... python examples/jobs.py rows.jsonl [MODEL]
"""

import sys
import time
from pathlib import Path

from openai import OpenAI

client, model = OpenAI(), (*sys.argv[2:], "smollm2-135m-instruct")[0]
with Path(sys.argv[1]).open("rb") as rows:
    file = client.files.create(file=rows, purpose="fine-tune")
job = client.fine_tuning.jobs.create(
    model=model,
    training_file=file.id,
    suffix="my-bot",
    method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}},
)
while job.status in ("queued", "running"):
    time.sleep(2)
    job = client.fine_tuning.jobs.retrieve(job.id)
    last = client.fine_tuning.jobs.list_events(job.id, limit=1).data[0]
    sys.stdout.write(f"{job.status}: {last.message}\n")
if job.fine_tuned_model is None:
    sys.exit(f"{job.status}: {job.error.message if job.error else ''}")
stream = client.chat.completions.create(
    model=job.fine_tuned_model, messages=[{"role": "user", "content": "Hello"}], stream=True
)
for chunk in stream:
    sys.stdout.write(chunk.choices[0].delta.content or "")
sys.stdout.write("\n")
