"""Faults of Airtable, with real flusher processes, a real sandbox process and a real Valkey. Each module has NAME and `run`."""
