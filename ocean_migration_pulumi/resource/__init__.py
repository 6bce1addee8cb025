"""The operations behind the provider, their session, the stack's config, and notifications."""
