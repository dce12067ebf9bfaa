"""Files with which a run goes to another machine: what is uploaded, how it starts, what it may cost."""
