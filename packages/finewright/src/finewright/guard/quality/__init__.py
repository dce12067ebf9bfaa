"""What a text is: its language, whether it declines, and how much of it is code."""
