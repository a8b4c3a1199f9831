"""The machinery behind `emit`: the bounded buffer, the outbox, the sender and the spooler, and the life that they share.

Imports point down: life, then sender and spooler, outbox, buffer, event.
"""
