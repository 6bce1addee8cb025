"""Access to one API server: kubeconfig, credentials, TLS, requests."""
