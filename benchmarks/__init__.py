"""Measurements, each beside a ceiling of the same run. `python -m benchmarks` lists them."""
