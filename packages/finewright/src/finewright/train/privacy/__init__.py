"""Differentially private training: its accounts, its steps, and the audit that attacks it."""
