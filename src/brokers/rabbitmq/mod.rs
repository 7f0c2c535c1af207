//! brokers/rabbitmq
