//! Ctrl+C and SIGTERM: the first asks every task to drain, the second ends the process at once.
