"""Reports outside of the terminal: the comment on a pull request, and the report of a migration."""
