"""The client of Spot's REST API."""
