"""Apify's webhooks: how a run of an Actor goes, delivered up to 12 times in 32 h and in any order."""
