"""What every command says on small inputs, kept as JSON: numbers, counts, names, decisions may not change.

`FINEWRIGHT_WRITE_GOLDEN=1 python -m pytest tests/golden` writes `outputs/` anew; look at `git diff` before
you commit it. `cases.py` is the table of commands; `normal.py` says what is compared and what is not;
`kept/` are folders of runs that earlier code made."""
