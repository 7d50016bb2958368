"""Metrics: totals per process, service, direction and remote network, whoever they go to."""
