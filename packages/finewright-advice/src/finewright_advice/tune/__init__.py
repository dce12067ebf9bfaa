"""Settings are searched on rows held out of training, and what they gain is said on untouched rows."""
