"""Metrics for Prometheus: served over HTTP, to be scraped."""
