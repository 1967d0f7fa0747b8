"""What `make bench` measures. Figures of one run may be compared; those of different machines may not."""
