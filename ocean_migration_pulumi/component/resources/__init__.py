"""The resources that the component declares."""
