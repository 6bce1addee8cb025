"""The connection to one API server: kubeconfig, credentials, TLS, requests."""
