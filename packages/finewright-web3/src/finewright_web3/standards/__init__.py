"""The ERC standards as documents, and questions whose answers stand in them."""
