"""Data, models and runs in buckets and on web servers: fetched by digest, and published manifest last."""
