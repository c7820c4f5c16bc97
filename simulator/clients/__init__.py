"""What stands at the two ends: producers and consumers of records, callers and services of requests."""
