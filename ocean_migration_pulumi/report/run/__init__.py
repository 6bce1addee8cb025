"""The report of a run as Markdown, JSON and HTML."""
