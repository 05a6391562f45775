"""What ``benchmarks/run.py`` is made of: contestants, a load generator, meters, parts, a report."""
