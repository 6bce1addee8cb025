"""The report of a run: Markdown, JSON, HTML."""
