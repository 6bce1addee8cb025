"""Small things that every room uses: text, times, cancellation, single flight."""
