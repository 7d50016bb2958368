"""The feed of what a Prometheus server knows of many hosts."""
