"""What exists in the simulator, and how it changes with time."""
