"""From inputs and a snapshot to a plan, and what a preview says of it."""
