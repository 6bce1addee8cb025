"""The server: HTTP, faults, request log, state file and command."""
