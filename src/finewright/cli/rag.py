"""`finewright rag`: parse, call one workbench function, print."""

from pathlib import Path
from typing import Annotated

import typer

rag_app = typer.Typer(
    no_args_is_help=True,
    help="Index documents, find passages, and answer from them with checked citations.",
)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Target = Annotated[
    str, typer.Argument(metavar="SPEC|INDEX", help="A spec with `rag`, or an index that is there.")
]
Embedder = Annotated[
    str,
    typer.Option(
        help="none, wordllama, minilm, a folder or https://HOST/v1#MODEL; default: as was."
    ),
]
Groups = Annotated[
    list[str] | None,
    typer.Option("--group", help="Ask as one of this group; repeatable. Default: the public."),
]
Owner = Annotated[
    bool, typer.Option("--all", help="Ask as the owner, who sees the documents of all groups.")
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="How many passages; default: the spec's `results`, 5.")
]
Longest = Annotated[int, typer.Option("--max-new-tokens", min=1, help="Longest answer in tokens.")]
Candidate = Annotated[
    str, typer.Option("--base-model", help="Which candidate of a run with several.")
]


@rag_app.command("index")
def rag_index(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="SPEC|PATHS", help="A spec with `rag`, or documents, folders and JSONL."
        ),
    ],
    out: Annotated[
        str, typer.Option(help="Where the index is; default: the spec's, index.sqlite.")
    ] = "",
    embedder: Annotated[
        str, typer.Option(help="Instead of the spec's; without a spec: wordllama.")
    ] = "",
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete documents from the index that are gone.")
    ] = False,
    delete: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Delete this document, and do nothing else; repeatable."),
    ] = None,
    tune: Annotated[
        bool | None,
        typer.Option(help="Tune how much words and vectors count; default: after a change."),
    ] = None,
    json: Json = False,
) -> None:
    """Bring an index up to date: adds, replaces, skips what is unchanged; all of it or nothing."""
    from finewright.cli import output
    from finewright.features.rag import index as uses
    from finewright.rag.target import asked_for, index_of

    if delete:
        report = uses.delete(index_of(targets, out=out), delete)
    else:
        asked = asked_for(targets, out=out, embedder=embedder)
        report = uses.index(asked, prune=prune, tune=tune, on_event=output.watch(json))
    output.show(report, as_json=json)
    raise typer.Exit(0 if report.passed else 2)


@rag_app.command("search")
def rag_search(
    target: Target,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What you want to know.")],
    group: Groups = None,
    all_: Owner = False,
    limit: Limit = None,
    embedder: Embedder = "",
    json: Json = False,
) -> None:
    """Show the passages that suit a query best, of those that the asker may see."""
    from finewright.cli import output
    from finewright.features.rag.index import search
    from finewright.rag.target import access_of, open_target

    access = access_of(group or (), is_owner=all_)
    with open_target(target, embedder=embedder) as opened:
        output.show(search(opened, query, access, limit=limit), as_json=json)


@rag_app.command("ask")
def rag_ask(
    target: Target,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What you want to know.")],
    model: Annotated[
        str, typer.Option("--model", help="Who answers: a base model by name, or a run folder.")
    ],
    group: Groups = None,
    all_: Owner = False,
    limit: Limit = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Ask even where no document is likely to have this.")
    ] = False,
    max_new_tokens: Longest = 256,
    base_model: Candidate = "",
    embedder: Embedder = "",
    json: Json = False,
) -> None:
    """Answer from the passages that suit a question, and check every quote and number against them."""
    from finewright.cli import output
    from finewright.features.rag.ask import Answerer, ask
    from finewright.rag.target import access_of, open_target

    answerer = Answerer(model, base_model, max_new_tokens, is_always_asked=anyway)
    access = access_of(group or (), is_owner=all_)
    with open_target(target, embedder=embedder) as opened:
        report = ask(opened, question, access, answerer, limit=limit, on_event=output.watch(json))
    output.show(report, as_json=json)


@rag_app.command("evaluate")
def rag_evaluate(
    target: Target,
    questions: Annotated[
        str,
        typer.Option(help="JSONL of prompt, gold and completion; default: the spec's, or made."),
    ] = "",
    model: Annotated[
        str, typer.Option("--model", help="Judge the answers of this model or run as well.")
    ] = "",
    answers: Annotated[
        int | None,
        typer.Option(min=1, help="With --model: ask so many of the questions; default: all."),
    ] = None,
    samples: Annotated[
        Path | None, typer.Option(help="With --model: write every answer to this new file.")
    ] = None,
    max_new_tokens: Longest = 256,
    base_model: Candidate = "",
    embedder: Embedder = "",
    json: Json = False,
) -> None:
    """Measure how often the right document is found: recall@k, MRR and nDCG, with intervals."""
    from finewright.cli import output
    from finewright.features.rag.answers import Asking, evaluate
    from finewright.features.rag.ask import Answerer
    from finewright.rag.target import open_target

    answerer = Answerer(model, base_model=base_model, max_new_tokens=max_new_tokens)
    asking = Asking(answerer, answers, samples)
    with open_target(target, embedder=embedder) as opened:
        report = evaluate(opened, asking, questions=questions, on_event=output.watch(json))
    output.show(report, as_json=json)
