"""Webhooks: leads and profiles from elsewhere, and Apify's runs (docs/webhooks.md)."""
