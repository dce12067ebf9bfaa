"""How leakage is measured, without a model: exposure and membership from scores of tokens."""
