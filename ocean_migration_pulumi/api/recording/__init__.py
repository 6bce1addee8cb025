"""Records of the traffic with the service: written, redacted, read back."""
