"""The clock and the queue."""
