"""Commands around a migration: pull request comment, checks, settings, completion."""
