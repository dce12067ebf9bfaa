"""The command line: parse, call one workbench function, render."""
