"""`tune`: search the settings of training that the spec names, by Optuna, and say what the best ones gain."""

from finewright.errors import MissingExtra
