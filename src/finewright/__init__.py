"""The workbench with which a company adapts a language model and can prove what it did."""

__version__ = "0.1.0"
