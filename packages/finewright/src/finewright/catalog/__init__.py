"""Dated facts as data: packaged models and data sets with their sources, digests and licences."""
