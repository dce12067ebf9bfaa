"""A run is a folder: reports, artifacts, manifest, events, lock, freshness keys and their verification."""
