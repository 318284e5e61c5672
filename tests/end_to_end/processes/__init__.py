"""Real processes that end, fork and are interrupted, against a sandbox in the process of the tests (rules W2, W3)."""
