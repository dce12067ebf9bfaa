"""What a word is, in any script: the pattern that all who count words are built on."""

# Thai, Lao, Burmese, Khmer, kana and Chinese are written without spaces between words.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Characters of these scripts, for a class of a regular expression."""
WORD = f"[{UNSPACED}]|[^\\W{UNSPACED}]+"
"""A run of letters, digits and `_`; of scripts without spaces, each character."""
