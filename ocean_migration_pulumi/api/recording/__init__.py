"""Records of the traffic with Spot's API: written, redacted, read back."""
