"""What a hosted fine-tune leaves behind: its job, its files, and its recorded answers."""
