"""Metrics for Prometheus: totals per process, service, direction and remote network, served over HTTP."""
