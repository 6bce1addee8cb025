"""The commands; each module holds one."""
