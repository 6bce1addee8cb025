"""Why a migration failed or stands still: reason, evidence, remedy."""
