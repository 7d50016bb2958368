"""Metrics: totals per process, service, direction and remote network, for any receiver of metrics."""
