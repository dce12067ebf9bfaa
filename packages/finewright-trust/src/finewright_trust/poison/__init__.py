"""The search for rows that plant a behaviour: triggers, payloads, hidden text, conflicts."""
