"""What the queue does: ids in, one use case, safe twice."""
