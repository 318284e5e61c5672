"""The tables of the reference that are made from the code; ``generate.py`` writes them into the pages."""
