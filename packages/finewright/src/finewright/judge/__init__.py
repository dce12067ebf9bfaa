"""Judgements on the text of an answer, the same in training and evaluation, and the statistics of scores."""
