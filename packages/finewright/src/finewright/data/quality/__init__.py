"""What the rows are like: lengths, languages, labels, repeats of phrase, refusals, code."""
