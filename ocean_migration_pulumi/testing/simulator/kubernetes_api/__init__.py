"""The Kubernetes API of the simulated clusters, without HTTP."""
