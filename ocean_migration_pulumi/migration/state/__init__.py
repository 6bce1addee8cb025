"""What a resource remembers between runs."""
