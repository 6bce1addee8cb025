"""``python -m ocean_migration_pulumi`` is the ``ocean-migration`` command."""

from ocean_migration_pulumi.cli import main

main()
