"""Which duties a run meets with which evidence, and the documents that regimes ask for."""
