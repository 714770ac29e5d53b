//! The settings: flag > environment > profile > file > default, resolved once. The only reader of the environment.
