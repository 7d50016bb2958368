"""Metrics for OpenTelemetry: pushed by OTLP over HTTP."""
