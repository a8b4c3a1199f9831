"""What both sides agree on: run IDs, statuses, metrics, events, key names, the log's wire format, settings, errors."""
