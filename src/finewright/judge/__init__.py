"""Judgements on the text of an answer, the same for rewards in training and for scorers in evaluation."""
