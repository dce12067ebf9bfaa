"""A Merkle tree over byte strings, hashed as in RFC 6962, section 2.1: what one root can prove.

    leaf hash  = SHA-256(0x00 || leaf)
    node hash  = SHA-256(0x01 || left || right), split at the largest power of two below the size

The prefixes keep a node from being passed off as a leaf. The root of nothing is SHA-256 of nothing."""

import hashlib
from collections.abc import Iterable, Sequence


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256 of a leaf, marked as one."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of two subtrees, marked as a node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """The root over the leaves in their order; memory grows with the logarithm of their number."""
    # Full subtrees from large to small; two of one size become one, as in binary addition.
    subtrees: list[bytes] = []
    for size, leaf in enumerate(leaves, 1):
        subtrees.append(leaf_hash(leaf))
        for _ in range((size & -size).bit_length() - 1):
            right = subtrees.pop()
            subtrees.append(node_hash(subtrees.pop(), right))
    if not subtrees:
        return hashlib.sha256().digest()
    root = subtrees.pop()
    while subtrees:
        root = node_hash(subtrees.pop(), root)
    return root


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The hashes beside the path from leaf `index` to the root, nearest first (RFC 6962, 2.1.1)."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"no leaf {index} in a tree of {len(leaves)}")
    return _path([leaf_hash(leaf) for leaf in leaves], index)


def _path(hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    if len(hashes) == 1:
        return ()
    split = 1 << (len(hashes) - 1).bit_length() - 1
    left, right = hashes[:split], hashes[split:]
    if index < split:
        return (*_path(left, index), _root(right))
    return (*_path(right, index - split), _root(left))


def _root(hashes: Sequence[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(_root(hashes[:split]), _root(hashes[split:]))
