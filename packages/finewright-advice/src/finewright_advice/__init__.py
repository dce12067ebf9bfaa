"""What to do and what it costs: advice with reasons, forecasts, and experiments on your own data."""
