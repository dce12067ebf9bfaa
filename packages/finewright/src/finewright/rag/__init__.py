"""Documents that answers may lean on: cut, embedded, indexed, found again, and quoted with proof."""
