"""The documents as data: a YAML file each."""
