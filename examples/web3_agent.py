"""Asks a served agent about transactions and runs its tools here; nothing is signed, no key is needed.

finewright serve runs/RUN-OF-WEB3-AGENT        # shows a key, and the model's name
OPENAI_API_KEY=fw-... python examples/web3_agent.py MODEL "Is tx1 dangerous?" [PENDING.json]

PENDING.json: {"transactions": {"tx1": {"from": "0x...", "to": "0x...", "data": "0x...", "chain_id": 1}},
"contacts": ["0x..."]}; without it tx1 is an approval without limit to somebody unknown."""

import json
import sys
from pathlib import Path
from typing import Any

from openai import OpenAI

from finewright_web3.agent.knowledge import Transaction
from finewright_web3.agent.tools import SYSTEM, Toolbox, declare_tools, load_knowledge, read_toolbox

MOST_STEPS = 6
TOOLS: list[Any] = [*declare_tools()]
URL = "http://127.0.0.1:8000/v1"
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
APPROVAL = bytes.fromhex("095ea7b3" + f"{'bad' * 13}0".rjust(64, "0") + "f" * 64)


def ask(client: OpenAI, model: str, question: str, toolbox: Toolbox) -> str:
    """The answer, after the tools that the model calls; each call and its result is shown."""
    messages: list[Any] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": question},
    ]
    for _ in range(MOST_STEPS):
        reply = client.chat.completions.create(
            model=model, messages=messages, tools=TOOLS, max_completion_tokens=256
        )
        message = reply.choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        if not message.tool_calls:
            return message.content or ""
        for call in message.tool_calls:
            if call.type != "function":
                continue
            result = use(toolbox, call.function.name, call.function.arguments)
            sys.stderr.write(f"{call.function.name} {call.function.arguments}\n  {result}\n")
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    return f"no answer after {MOST_STEPS} steps"


def use(toolbox: Toolbox, name: str, arguments: str) -> str:
    """The tool's result; arguments that are no JSON are the tool's error, too."""
    try:
        parsed = json.loads(arguments)
    except ValueError:
        parsed = None
    return toolbox.call(name, parsed)


if __name__ == "__main__":
    try:
        model, question, *files = sys.argv[1:]
    except ValueError:
        sys.exit(__doc__)
    knowledge = load_knowledge()
    transaction = Transaction(1, "0x" + "1" * 40, USDC, 0, APPROVAL)
    toolbox = (
        read_toolbox(Path(files[0]), knowledge)
        if files
        else Toolbox(knowledge, {"tx1": transaction})
    )
    sys.stdout.write(ask(OpenAI(base_url=URL), model, question, toolbox) + "\n")
