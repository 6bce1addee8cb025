"""The report of a migration as Markdown, JSON and HTML."""
