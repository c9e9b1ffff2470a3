//! Tests against a daemon.
