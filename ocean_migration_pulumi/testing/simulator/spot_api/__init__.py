"""The routes of Spot's API, without HTTP."""
