"""A language model marks answers, and people say how far it is to be believed."""
