"""Data sets of the catalog, each built from the pinned packages that it is fetched from."""
