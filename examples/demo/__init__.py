"""The whole story of a migration, told against a simulator."""
