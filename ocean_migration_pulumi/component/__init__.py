"""OceanMigration: cluster, Virtual Node Groups, controller, autoscaler and waves in one stack."""
