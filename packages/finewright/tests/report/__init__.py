"""Reports, for a terminal and as pages."""
