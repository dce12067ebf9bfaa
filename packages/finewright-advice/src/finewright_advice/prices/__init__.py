"""Prices of other catalogs: files of machines and of APIs, and the package genai-prices."""
