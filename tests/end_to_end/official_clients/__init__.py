"""Intercom's own clients against the sandbox: every endpoint that it serves is called, and every answer is parsed."""
