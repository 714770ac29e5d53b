//! Free ports, and whether a wished port is free.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{SystemTime, UNIX_EPOCH};

use super::port_owner;
use super::server::Role;
use crate::error::Error;

/// Below the ports that Linux hands to outgoing connections (32768 and up), which could take a chosen one before its
/// server listens.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;

/// Hands out free ports, none of them twice.
#[derive(Debug)]
pub(crate) struct FreePorts {
    next: u16,
    left: u16,
}

impl FreePorts {
    /// Starts somewhere else each time, so that two processes seldom look at the same ports.
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let spread = now.subsec_micros() + std::process::id().wrapping_mul(7_919) % 100_000;
        let count = LAST - FIRST + 1;
        let offset = u16::try_from(spread % u32::from(count)).unwrap_or_default();
        Self { next: FIRST + offset, left: count }
    }

    /// A port of 127.0.0.1 that nobody listens on.
    pub(crate) fn take(&mut self) -> Result<u16, Error> {
        while self.left > 0 {
            let port = self.next;
            self.left -= 1;
            self.next = if port == LAST { FIRST } else { port + 1 };
            if listen(port).is_ok() {
                return Ok(port);
            }
        }
        Err(Error::NoFreePort { from: FIRST, to: LAST })
    }
}

/// An error that names who has the port, unless it is free.
pub(crate) fn must_be_free(role: Role, port: u16) -> Result<(), Error> {
    let option = role.port_option();
    match listen(port) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(Error::PortTaken { role, port, owner: port_owner::of(port), option })
        }
        Err(source) => Err(Error::PortRefused { role, port, option, source }),
    }
}

fn listen(port: u16) -> io::Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_never_handed_out_twice() -> Result<(), Error> {
        let mut ports = FreePorts::new();
        let mut taken: Vec<u16> = (0..50).map(|_| ports.take()).collect::<Result<_, _>>()?;
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), 50);
        Ok(())
    }

    #[test]
    fn a_taken_port_is_refused_with_the_pid_of_its_owner() -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let message = must_be_free(Role::Kafka, port).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains(&format!("pid {}", std::process::id())), "{message}");
        assert!(message.contains("--kafka-port"), "{message}");
        Ok(())
    }
}
