"""The brokers: a folder each, with what it decides (pure) and the node that takes the time."""
