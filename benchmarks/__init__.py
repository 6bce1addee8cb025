"""The numbers that are promised, measured: `python -m benchmarks`."""
