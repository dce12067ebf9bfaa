"""Rows out of files, folders and hub data sets, whatever container they are in."""
