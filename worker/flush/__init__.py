"""Rows to Airtable: which columns, in which order, how fast, and what happens when Airtable does not play along."""
