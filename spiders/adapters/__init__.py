"""One module per store platform."""
