"""Every data type that crosses a border: the run spec, the reports, and the reader that names file, line and key."""
