"""Word lists that tell two rows which differ in a word apart."""
