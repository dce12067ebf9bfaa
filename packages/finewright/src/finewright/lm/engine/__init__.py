"""The generation engine: requests join and leave between steps over one paged key-value cache."""
