"""What a run will need: memory, time and money, machine by machine."""
