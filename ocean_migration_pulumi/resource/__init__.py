"""What any Pulumi adapter calls: operations, their session, the stack's config, notifications."""
