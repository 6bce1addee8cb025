"""Compare Spot's API with its documentation; for maintainers."""
