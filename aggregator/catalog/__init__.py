"""Stores, offers, products and how they are found."""
