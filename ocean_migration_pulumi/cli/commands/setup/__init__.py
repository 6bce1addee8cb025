"""Commands around a migration: pull requests, set-up, checks."""
