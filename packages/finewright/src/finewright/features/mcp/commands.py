"""`finewright mcp`: its options, and the one call that it is."""

from pathlib import Path

from finewright.feature import Effect, Session
from finewright.schema.options import CommandOptions, Runs, option


class McpOptions(CommandOptions):
    """What an agent may do, and which runs it may read."""

    allow: Effect = option(
        "reads", "The most that a tool may do; each effect brings those before it."
    )
    runs: Runs = Path("runs")


def mcp(options: McpOptions, session: Session) -> None:
    """Answer until stdin ends."""
    import asyncio

    from finewright.features.mcp.server import serve

    asyncio.run(serve(options.allow, options.runs))
