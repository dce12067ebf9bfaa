"""`decide --measure`: the experiment on the user's own rows."""
