"""The server, as finewright knows it."""

from finewright.feature import Command, Feature, SpecSection

FEATURE = Feature(
    "serve",
    "Serve runs and models over OpenAI's HTTP API, to its official clients.",
    section=SpecSection(
        "finewright_serve.spec:ServeSpec",
        "What `finewright serve` serves, and to whom",
        "asked for by a command of its own",
        needed_by="a server",
        aliases={"port": ("server_port",), "max_tokens": ("max_model_len", "max_new_tokens")},
    ),
    commands=(
        Command(
            "serve",
            "Serve runs and models over OpenAI's HTTP API, with a key and on this machine alone unless said.",
            "finewright_serve.options:ServeOptions",
            "finewright_serve.run:serve",
            "publishes",
            is_talk=True,
        ),
    ),
    needs={
        "httpx": "serve",
        "starlette": "serve",
        "uvicorn": "serve",
        "prometheus_client": "serve",
        "python_multipart": "serve",
    },
)
