"""What tells the operator that something is wrong: the alarm of theft, and where alarms go."""
