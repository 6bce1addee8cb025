"""The live dashboard of a migration."""
