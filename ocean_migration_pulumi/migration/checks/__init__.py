"""Pre-flight checks of the service, controllers, autoscalers, IAM roles and capacity."""
