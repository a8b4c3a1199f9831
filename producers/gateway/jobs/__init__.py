"""Jobs over HTTP: start one, look at it, complete it."""
