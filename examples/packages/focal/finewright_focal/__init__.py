"""Training with the focal loss."""
