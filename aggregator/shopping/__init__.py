"""Carts, the exact split and the hand-over to the stores."""
