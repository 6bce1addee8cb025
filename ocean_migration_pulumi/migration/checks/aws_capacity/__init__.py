"""Checks of what AWS limits: addresses of subnets, vCPU quotas, and attachments of volumes."""
