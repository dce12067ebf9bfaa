"""The use cases, and the table of stages: the only place that knows the order."""
