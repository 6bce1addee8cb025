"""Views of a migration: for dashboards, and for reports."""
