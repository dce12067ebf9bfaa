"""The data sets that this package adds: `erc7730`, `transaction-agent`, `solidity`,
`solidity-audit`, `natspec-docs` and `erc-standards`."""

from collections.abc import Sequence

from finewright.sdk import (
    Content,
    DataSet,
    Fetched,
    PackagedSet,
    SetContent,
    name_files,
    read_sets,
)
from finewright_web3 import erc7730 as analyst
from finewright_web3 import erc7730_feedback, natspec_docs, solidity_pairs
from finewright_web3 import solidity as writer
from finewright_web3.agent import rows as agent
from finewright_web3.agent.knowledge import known_functions
from finewright_web3.audit import rows as auditor
from finewright_web3.standards import rows as standards
from finewright_web3.values import chains


def erc7730() -> DataSet:
    """Calls of contracts, explained as strict JSON."""
    return DataSet(_facts("erc7730"), _calls)


def transaction_agent() -> DataSet:
    """Conversations about transactions, with tools and what these say."""
    return DataSet(_facts("transaction-agent"), _conversations)


def solidity() -> DataSet:
    """Documented functions of contracts, to be written from their documentation."""
    return DataSet(_facts("solidity"), _functions)


def solidity_audit() -> DataSet:
    """Contracts with a known flaw or none, to be found, named and mended."""
    return DataSet(_facts("solidity-audit"), _audits)


def natspec() -> DataSet:
    """The documentation of contracts, with questions."""
    return DataSet(_facts("natspec-docs"), natspec_docs.content)


def erc_standards() -> DataSet:
    """The ERC standards, with questions."""
    return DataSet(_facts("erc-standards"), standards.content)


def _facts(name: str) -> PackagedSet:
    return read_sets("finewright_web3")[name]


def _calls(fetched: Sequence[Fetched], _: PackagedSet) -> SetContent:
    settings = analyst.Erc7730Settings()
    (file,) = fetched[0].texts()
    registry = analyst.parse_registry(file[1], chains())
    built = analyst.build(registry.functions, settings)
    feedback_settings = erc7730_feedback.FeedbackSettings()
    feedback = erc7730_feedback.build_feedback(built, feedback_settings)
    return SetContent(
        Content(name_files(built._asdict()), settings, registry.dropped),
        Content(name_files(feedback._asdict()), feedback_settings, {}),
    )


def _conversations(fetched: Sequence[Fetched], _: PackagedSet) -> SetContent:
    settings = agent.AgentSettings()
    (file,) = fetched[0].texts()
    registry = analyst.parse_registry(file[1], chains())
    built = agent.build_agent(known_functions(registry.functions), settings)
    return SetContent(Content(name_files(built._asdict()), settings, registry.dropped))


def _audits(_: Sequence[Fetched], __: PackagedSet) -> SetContent:
    settings = auditor.AuditSettings()
    return SetContent(Content(name_files(auditor.build_audits(settings)._asdict()), settings, {}))


def _functions(fetched: Sequence[Fetched], packaged: PackagedSet) -> SetContent:
    settings = writer.SoliditySettings()
    sources = (
        writer.SourceFile(package.source, path, text)
        for package in fetched
        for path, text in package.texts()
    )
    built = writer.build(sources, packaged.license, settings)
    pair_settings = solidity_pairs.PairSettings()
    pairs = solidity_pairs.build_pairs(built.train, built.test, pair_settings)
    preferences = {"preference_train": pairs.train, "preference_test": pairs.test}
    return SetContent(
        Content(name_files({"train": built.train, "test": built.test}), settings, built.dropped),
        Content(name_files(preferences), pair_settings, pairs.dropped),
    )
