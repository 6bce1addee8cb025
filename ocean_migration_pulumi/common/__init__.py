"""What every other folder uses: text, times, cancellation, single flight, retries."""
