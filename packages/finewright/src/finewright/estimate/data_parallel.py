"""What processes that train together send each other."""


def bytes_sent(num_gradients: int, size: int) -> float:
    """By each of so many ranks to sum float32 gradients in a ring: 2 (n - 1) / n of all (Patarasu & Yuan
    2009, "Bandwidth optimal all-reduce algorithms")."""
    return 4 * num_gradients * 2 * (size - 1) / size


def bytes_scattered(num_gradients: int, size: int) -> float:
    """By each of so many ranks in one pass of weights that learn in shards: (n - 1) / n of their float32
    gradients, as each gets the sum of its own shard's alone."""
    return 4 * num_gradients * (size - 1) / size


def gradients_line(num_gradients: int, size: int, *, in_shards: bool) -> str:
    """What each of so many ranks sends of gradients, and how often."""
    sent = bytes_scattered if in_shards else bytes_sent
    how_often = "pass" if in_shards else "step"
    return f"sends {sent(num_gradients, size) / 2**20:.1f} MiB of gradients a {how_often}"


def bytes_gathered(layers: int, others: int, size: int) -> float:
    """By each of so many ranks in one pass over a base in shards: (n - 1) / n of its layers' bytes in the
    forward and again in the backward, and of its other weights' once."""
    return (2 * layers + others) * (size - 1) / size


def shards_line(own: float, layers: int, others: int, size: int) -> str:
    """What each rank holds, `own` bytes of a base in shards, and what it sends."""
    mib, sent = (layers + others) / 2**20, bytes_gathered(layers, others, size) / 2**20
    return (
        f"each of {size} processes holds {own / 2**20:,.1f} MiB of the base model's {mib:,.1f}, and sends"
        f" {sent:,.1f} MiB of weights a pass"
    )
