"""Deciding and driving migrations; knows neither HTTP nor Pulumi."""
