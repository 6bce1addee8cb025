"""Commands that plan, start, follow and stop a migration."""
