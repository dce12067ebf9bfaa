"""Documents indexed, found by what a question means, and cited with proof."""
