"""What may come in and what may go out: each guard is one file, and a pure function of texts."""
