"""The key `train.privacy` of the spec, and what a training under it spent."""

from finewright.schema.common import Model, default

MOST_EPSILON = 100.0


class DifferentialPrivacySpec(Model):
    """DP-SGD (Abadi et al. 2016, arXiv:1607.00133): what one unit of the rows may change is bounded."""

    epsilon: float = default(
        8.0,
        "Bound on what a unit changes: any outcome becomes at most e^epsilon times as likely (but for delta)",
        "what large models are trained with in practice; 1 is strong",
        gt=0.0,
        le=MOST_EPSILON,
    )
    delta: float | None = default(
        None,
        "Probability with which the bound may not hold; below 1 / units",
        "a tenth of 1 / units",
        gt=0.0,
        lt=1.0,
    )
    max_grad_norm: float = default(
        1.0, "Each unit's gradient is clipped to this norm", "below most rows' norm", gt=0.0
    )
    unit: str = default(
        "row",
        "Whom the bound protects: `row`, or the column that names whose rows they are, such as customer",
        "rows of one person are not known to be one's",
    )
    max_rows_per_unit: int = default(
        8,
        "Rows of a unit that train; of more, this many are sampled by the seed",
        "bounds memory",
        gt=0,
    )


class PrivacySpent(Model):
    """What a training spent, the larger by two accountants, and what it is made of.

    `epsilon_pld` and `epsilon_prv` are both. `audited` is the lower bound on epsilon that an attack with
    canaries proves at `audit_confidence`, None without canaries."""

    unit: str
    units: int
    epsilon: float
    delta: float
    target_epsilon: float
    epsilon_pld: float
    epsilon_prv: float
    sigma: float
    sampling_rate: float
    steps: int
    max_grad_norm: float
    rows_left_out: int = 0
    audited: float | None = None
    audit_canaries: int = 0
    audit_confidence: float = 0.95

    def line(self) -> str:
        """`epsilon 7.98 (delta 1e-05) per row`, and how it comes about."""
        return (
            f"epsilon {self.epsilon:.3g} (delta {self.delta:.2g}) per {self.unit}: {self.units} units,"
            f" noise {self.sigma:.3g}, sampling rate {self.sampling_rate:.3g}, {self.steps} steps,"
            f" clipped to {self.max_grad_norm:g}"
        )

    def spent_line(self) -> str:
        """The same of what is spent, with what an attack proves."""
        if self.audited is None:
            return f"spent {self.line()}; not audited: no canaries were placed (data.canaries)"
        proves = f"an attack with {self.audit_canaries} canaries proves at least {self.audited:.2g}"
        return f"spent {self.line()}; {proves}"
