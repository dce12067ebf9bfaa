"""The tables of the peers: each of their keys with our counterpart, or why there is none."""
