"""Every data type that crosses a border, and the reader that names file, line and key."""
