"""An engine that answers the questions of a file."""
