"""Where the matching runs."""
