"""Create, update, refresh and delete: start, wait for, resume and stop migrations."""
