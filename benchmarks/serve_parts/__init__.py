"""What benchmarks/serve.py measures with."""
