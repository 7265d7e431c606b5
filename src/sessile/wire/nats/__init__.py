"""A client of NATS JetStream, over nats-py: questions, and messages stored on conditions."""
