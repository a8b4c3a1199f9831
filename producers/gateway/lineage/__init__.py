"""OpenLineage: run events of schedulers and engines as jobs and client runs (docs/openlineage.md)."""
