"""From what a store says to what the catalogue holds."""
