"""The gate between two waves."""
