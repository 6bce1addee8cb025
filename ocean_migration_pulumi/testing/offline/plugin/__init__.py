"""Providers, the program, and mocks."""
