"""Dated facts that advice stands on: laws, scores of models, languages, what people advise."""
