"""Audits of smart contracts, judged by exploits that run."""
