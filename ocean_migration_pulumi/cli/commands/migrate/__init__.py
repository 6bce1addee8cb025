"""Commands that plan, start, watch and stop a migration."""
