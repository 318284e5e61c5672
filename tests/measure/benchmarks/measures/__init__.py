"""One module for each figure: each has ``measure(setup)``, which returns figures."""
