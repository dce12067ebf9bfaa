"""Configs of other frameworks as run specs, and run specs as theirs."""
