"""Files of millions of rows: read in slices, prepared by many processes, joined without holding them."""
