"""Measures how fast a backlog is delivered by a client with default settings, and what that costs the host."""
