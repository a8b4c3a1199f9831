"""The side that counts and writes: fold, store, flush, and the Celery app that runs them (`celery -A worker worker`)."""
