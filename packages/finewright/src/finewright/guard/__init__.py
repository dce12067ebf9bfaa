"""What must not train or leave: personal data, secrets, hidden text, planted behaviour, repeats, bad rows."""
