"""Leaves Pulumi's host its own four workers: every interpreter runs this that finds this directory on its path."""

import sys

if "pulumi.dynamic" in sys.orig_argv:
    from ocean_migration_pulumi.host import setup

    setup._raise_pool = lambda size: None
