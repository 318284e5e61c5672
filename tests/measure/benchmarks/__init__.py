"""Benchmarks next to today's peers: ``python -m tests.measure.benchmarks`` runs them and prints a table."""
