"""Tests of what AWS limits."""
