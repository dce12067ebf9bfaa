"""A served model as it is attacked: asked over OpenAI's API, once, or with the server's guards off and on."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from finewright.errors import FetchError, RequestFiltered
from finewright.fetch.endpoint import Client, Endpoint
from finewright_trust.redteam.spec import RedteamSpec
from finewright_trust.redteam.subject import AttackPrompt, OnProgress, Subject, SystemReply

OFF, ON, SERVED = "guards off", "guards on", "served"
_AT_ONCE = 4
"""Requests under way: a server batches them, and one with limits still answers so many."""
_CHARACTERS = 3
"""Of a token, at least, as models count them in the languages of the attacks."""


@dataclass(kw_only=True)
class AddressSubject(Subject):
    """A model behind an address. With a key that its guards are not for it is two systems."""

    clients: Mapping[str, Client]
    user_questions: Sequence[str]

    @property
    def questions(self) -> Sequence[str]:
        """Of the rows that were named, or general ones."""
        return self.user_questions

    def fits(self, prompt: AttackPrompt, spec: RedteamSpec) -> bool:
        """Is it short enough, by its characters?"""
        return len(prompt.text) <= _CHARACTERS * spec.max_prompt_tokens

    def ask(
        self, system: str, prompts: Sequence[AttackPrompt], max_new_tokens: int
    ) -> Sequence[SystemReply]:
        """See `Subject`; a request that the server's filter stops is answered with nothing."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            ask = partial(_ask, self.clients[system], most=max_new_tokens)
            return list(pool.map(ask, prompts))


def open_address(
    url: str, unguarded_key: str, questions: Sequence[str], on_progress: OnProgress
) -> AddressSubject:
    """The model at `URL#MODEL`, or the only one of a server.

    `unguarded_key` names the environment variable of a key for which the server's guards are off. Raises
    FetchError where nobody answers, where it is something else, and where a server has several models."""
    endpoint = Endpoint.parse(url) if "#" in url else _only_model(Endpoint.of_server(url))
    clients = {SERVED: Client(endpoint)}
    if unguarded_key:
        clients = {OFF: Client(endpoint, key_name=unguarded_key), ON: Client(endpoint)}
    for client in clients.values():
        _ask(client, AttackPrompt(({"role": "user", "content": "Good morning."},)), 1)
    return AddressSubject(
        name=endpoint.name,
        on_progress=on_progress,
        systems=tuple(clients),
        clients=clients,
        user_questions=questions,
    )


def _only_model(server: Endpoint) -> Endpoint:
    models = Client(server).models()
    if len(models) != 1:
        what = f"it has {len(models)} models" if models else "it has no model"
        hint = f"name one: {server.base_url}#{models[0] if models else 'MODEL'}"
        raise FetchError(f"{server.name}: {what}", hint=hint)
    return Endpoint(server.base_url, models[0])


def _ask(client: Client, prompt: AttackPrompt, most: int) -> SystemReply:
    tools = {"tools": list(prompt.tools)} if prompt.tools else {}
    try:
        said = client.chat(prompt.messages, max_tokens=most, temperature=0, **tools)
    except RequestFiltered:
        return SystemReply("")
    calls = (call.get("function", {}) for call in said.tool_calls)
    return SystemReply(
        said.text, tuple(json.dumps([c.get("name"), c.get("arguments")]) for c in calls)
    )
