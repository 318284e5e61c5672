"""Benchmarks beside today's peers: ``python -m tests.benchmarks`` runs them all and prints a table."""
