"""Helpers that tests of several folders share; contains no tests."""
