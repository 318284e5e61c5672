"""One module per benchmark; its function ``measure(setup)`` returns the figures."""
