"""What is read of a cluster at one time, and who else in this process uses it."""
