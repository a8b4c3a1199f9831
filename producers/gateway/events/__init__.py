"""CloudEvents over HTTP: `POST /v1/events`, in structured, batch and binary mode."""
