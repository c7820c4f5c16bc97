"""A broker like RabbitMQ: exchanges route messages into queues, and each message goes to one of a queue's consumers."""
