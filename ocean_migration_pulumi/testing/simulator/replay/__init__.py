"""Records of real traffic, played back."""
