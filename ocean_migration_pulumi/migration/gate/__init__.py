"""The gate between two waves: its conditions, and the wait for them."""
