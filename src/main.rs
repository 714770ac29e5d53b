//! The program `vitals`.

use std::process::ExitCode;

fn main() -> ExitCode {
    vitals::main()
}
