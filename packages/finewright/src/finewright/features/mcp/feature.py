"""The door for agents, as finewright knows it."""

from finewright.feature import Command, Feature

FEATURE = Feature(
    "mcp",
    "Offer the commands to agents as tools, over the Model Context Protocol.",
    commands=(
        Command(
            "mcp",
            "Answer an agent on stdin and stdout: the commands are its tools, runs and pages can be read.",
            "finewright.features.mcp.commands:McpOptions",
            "finewright.features.mcp.commands:mcp",
            "publishes",
            is_talk=True,
        ),
    ),
    needs={"mcp": "[mcp]"},
)
