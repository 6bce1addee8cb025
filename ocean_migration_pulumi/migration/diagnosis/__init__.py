"""Why a migration is where it is: reasons, evidence, remedies."""
