//! brokers/client
