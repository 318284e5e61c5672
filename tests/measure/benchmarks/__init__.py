"""Benchmarks beside today's peers: ``python -m tests.measure.benchmarks`` runs them all and prints a table."""
