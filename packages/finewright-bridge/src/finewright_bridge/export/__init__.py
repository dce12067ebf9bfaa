"""A run's result in the form that other programs load, with a proof that it answers the same."""
