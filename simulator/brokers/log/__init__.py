"""A broker like Apache Kafka: topics of partitions, each an append-only log that its readers keep their own place in."""
