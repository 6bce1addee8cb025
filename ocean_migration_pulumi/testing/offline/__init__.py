"""OfflineStack: a test double of Pulumi's engine, its plugins and its state."""
