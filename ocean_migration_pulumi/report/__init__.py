"""What is told of plans outside of the terminal: the comment on a pull request."""
