"""Tables of the reference, made from the code: ``generate.py`` puts them into the pages."""
