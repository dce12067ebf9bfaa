"""The command line: what is typed, one call, and its report, by the tables of the core and the features."""
