"""`cost`: what a run needs, by formula, by trace and by real steps."""
