"""Many runs and experiments on one page."""
