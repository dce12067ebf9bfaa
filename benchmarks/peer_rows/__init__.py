"""Rows in the forms that the peers read, and scripts that have the peers' own code convert them."""
