"""Where batches wait on disk: while Redis is away, when a process ends, and before `emit` returns if they are durable.

Standard library and contract only, and no thread of its own: whoever calls holds the outbox's lock.
"""
