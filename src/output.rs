//! Everything that is printed, except clap's help.
