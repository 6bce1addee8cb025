"""Plans and carries out an update as the real engine does."""
