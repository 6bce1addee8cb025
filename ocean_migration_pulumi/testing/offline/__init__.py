"""The engine behind OfflineStack."""
