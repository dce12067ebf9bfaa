"""From bytes to rows: containers, formats, conversations, documents."""
