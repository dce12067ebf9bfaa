"""The search for a backdoor in a tuned model: what may trigger one, and what it does when it is there."""
