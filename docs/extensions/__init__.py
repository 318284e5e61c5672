"""Small extensions of the site: how the API reference shows types, and how rule names become links."""
