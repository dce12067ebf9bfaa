"""Where what was trained goes, and where it comes from: exported files and hosted fine-tunes."""
