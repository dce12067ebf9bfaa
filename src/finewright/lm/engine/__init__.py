"""One generation engine: requests join and leave between steps, and share what they begin with."""
