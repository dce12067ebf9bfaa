"""What commands show: a report is described once, in blocks, and shown by a terminal, a page, or others."""
