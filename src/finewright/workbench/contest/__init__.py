"""`bakeoff` and `tune`: runs that compete on the same rows."""
