"""The training methods whose answers are labels with probabilities.

`train.head` names those on a language model: `labels`, a linear layer over the labels, and `text`, the labels
as texts that alone may be answered."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal, NamedTuple

from finewright.schema.common import Problem, default
from finewright.schema.decisions import DecisionKind, DecisionSpec
from finewright.schema.train import TrainSettings

LABEL_COLUMN = " label"
"""Where a row that asks for a label keeps what the head is fitted to, once its answer is off: the label's
place, or a number for each column. No column of a file is called so."""


class DecisionForm(NamedTuple):
    """What a question gets, and how another program reads that from the logits and decisions.json."""

    output: str
    reading: str


_FORMS: dict[DecisionKind, DecisionForm] = {
    "single": DecisionForm(
        "a label, with the probability of each",
        "their softmax over the temperature of decisions.json is the probability of each label",
    ),
    "several": DecisionForm(
        "any number of labels, with the probability of each",
        "the sigmoid of slope times logit plus offset, both in decisions.json, is the probability of each"
        " label, and its threshold is there too",
    ),
    "score": DecisionForm(
        "a score, with an interval",
        "mean plus scale times the logit is the score, and half_width the interval to either side, all three"
        " in decisions.json",
    ),
}


class DecidingSettings(TrainSettings):
    """What methods have whose answers are labels with probabilities."""

    decides: ClassVar[bool] = True
    refits: ClassVar[bool] = False
    """Whether fits of parts of the rows calibrate several labels; else half of the rows that calibrate."""
    decisions: DecisionSpec = default(
        DecisionSpec(), "How sure answers must be, and what calibrates them", "see its keys"
    )

    @property
    def form(self) -> DecisionForm:
        """By what it decides."""
        return _FORMS[self.decisions.kind]


def gives_one_answer(train: TrainSettings) -> bool:
    """Whether an answer is one text: of several labels and scores no baseline of single labels tells."""
    return not isinstance(train, DecidingSettings) or train.decisions.kind == "single"


def unfit_metric(train: TrainSettings, names: Sequence[str]) -> str:
    """Why one of the metrics says nothing of several labels, or of scores; empty where all do."""
    kind = train.decisions.kind if isinstance(train, DecidingSettings) else "single"
    if kind == "several" and "macro_f1" in names:
        return (
            "macro_f1 reads an answer as one label: the score card has the F1 of several by itself"
        )
    others = [name for name in names if not name.startswith(("within:", "python:"))]
    if kind == "score" and others:
        return (
            f"{others[0]} compares texts, and answers are scores: name `within:0.5`, say, the share of"
            " scores that are off by at most 0.5"
        )
    return ""


_REGRESSIONS: dict[DecisionKind, str] = {
    "single": "multinomial logistic regression",
    "several": "logistic regression of each label against all others",
    "score": "ridge regression",
}


class LinearSpec(DecidingSettings):
    """Multinomial logistic regression on words or on vectors of texts, of several labels a row one regression
    each, of scores a ridge regression: the base models of the spec are features, such as `words`, `minilm` or
    `words+minilm`. Convex fits, in seconds."""

    code: ClassVar[str] = "finewright.train.linear:train_linear"
    on_features: ClassVar[bool] = True
    writes_text: ClassVar[bool] = False
    refits: ClassVar[bool] = True
    unread: ClassVar[frozenset[str]] = frozenset(TrainSettings.model_fields) - {"method", "seed"}
    method: Literal["linear"] = "linear"
    C: float | None = default(
        None,
        "Inverse of the penalty on the weights, as scikit-learn has it",
        "10: of 1 to 100 about the best on BANKING77 with words and with minilm alike; of scores 1, which"
        " errs less: by 4 to 9 % on four sets of ratings",
        gt=0.0,
    )

    @property
    def inverse_penalty(self) -> float:
        """`C`, or what its kind takes where none is set."""
        return self.C or (1.0 if self.decisions.kind == "score" else 10.0)

    @property
    def regression(self) -> str:
        """What it is in the words of its field."""
        return _REGRESSIONS[self.decisions.kind]

    def without_effect(self) -> Iterator[Problem]:
        """All that is of steps, of tokens and of a language model."""
        for key in sorted(self.unread):
            if getattr(self, key) != TrainSettings.model_fields[key].default:
                yield Problem(
                    level="error",
                    key=f"train.{key}",
                    message="does nothing: train.method linear is one convex fit, without steps or tokens",
                    hint="leave it out; what it has is train.C, train.seed and train.decisions",
                )


class LabelHeadSpec(DecidingSettings):
    """A linear layer over the labels on the last hidden state of the prompt, trained with the adapter under
    it: the loss is the mean cross-entropy over the labels (Radford et al. 2018, Improving language
    understanding by generative pre-training), of several labels a row the mean binary cross-entropy of each,
    of scores the mean squared error. No bias, as transformers' classifiers of decoders."""

    code: ClassVar[str] = "finewright.train.methods.labels:LabelHead"
    writes_text: ClassVar[bool] = False
    method: Literal["labels"] = "labels"
    head: Literal["labels"] = default(
        "labels",
        "What answers on a language model: a linear layer over the labels of the training rows",
        "one forward a question, and never anything but a label",
    )


class LabelTextSpec(DecidingSettings):
    """Supervised fine-tuning on labels as texts, of which one must be answered: its probability is that of
    its tokens and the end of the turn, among those of all labels."""

    code: ClassVar[str] = "finewright.train.methods.sft:SFT"
    method: Literal["label_text"] = "label_text"
    head: Literal["text"] = default(
        "text",
        "What answers: the language model's own head, held to the texts of the labels",
        "the model still writes text, and new labels need no new layer",
    )

    def without_effect(self) -> Iterator[Problem]:
        """Several labels and scores are of what has a number for each."""
        if self.decisions.kind != "single":
            yield Problem(
                level="error",
                key="train.decisions.kind",
                message=f"the texts of labels give one label a row, and kind is {self.decisions.kind}",
                hint="train.head labels gives several labels and scores, and so does train.method linear",
            )
