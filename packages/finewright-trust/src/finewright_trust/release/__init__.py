"""Whether a run may leave, and what leaves: a gate of rules, and a signed bundle that anyone can check."""
