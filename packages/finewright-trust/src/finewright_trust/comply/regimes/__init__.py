"""The regimes as data: a YAML file each, and the uses that laws name."""
