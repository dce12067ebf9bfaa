"""`python -m finewright`."""

from finewright.cli.main import main

main()
