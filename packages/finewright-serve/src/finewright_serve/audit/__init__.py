"""What happened at a server, in lines that cannot be changed unseen."""
