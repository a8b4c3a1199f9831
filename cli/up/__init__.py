"""`runtally up`: all processes of Runtally on one machine, started, watched and ended together."""
