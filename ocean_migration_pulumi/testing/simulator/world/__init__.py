"""The simulated clusters, nodes, pods and migrations, and how they change with time."""
