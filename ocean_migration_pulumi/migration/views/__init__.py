"""What dashboards and reports show of a migration."""
