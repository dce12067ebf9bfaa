"""What finewright offers, a folder each; folders here never import each other."""
