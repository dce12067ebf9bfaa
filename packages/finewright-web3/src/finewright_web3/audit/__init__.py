"""Audits of smart contracts, judged by exploits that run: the contracts, their rows, and what an answer is worth."""
