"""The server: HTTP, faults, the request log, the command."""
