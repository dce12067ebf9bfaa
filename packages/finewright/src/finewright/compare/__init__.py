"""Systems answer the same rows, each row once; their answers are scored, compared row by row, and judged."""
