//! Who runs the program, as far as the system knows.

use serde::Serialize;

/// The names that the environment tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Of the user: what counts where the system has no name for the number.
    pub user: Option<String>,
    /// Of the user whom `sudo` works for.
    pub sudo_user: Option<String>,
    /// Of the machine, where the system has no other way to tell it.
    pub host: Option<String>,
}

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Who {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sudo_user: Option<String>,
    /// Who logged in: it stays through `su` and `sudo`.
    #[serde(skip_serializing_if = "Option::is_none")]
    login_uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// As typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

impl Who {
    /// The user of this process; `by` is whom the command line names.
    pub(super) fn of_process(names: Names, by: Option<String>) -> Self {
        let Names { user, sudo_user, host } = names;
        let uid = system::uid();
        let user = uid.and_then(system::name_of).or(user);
        Self { user, uid, sudo_user, login_uid: system::login_uid(), host: system::host().or(host), by }
    }
}

#[cfg(unix)]
mod system {
    use std::fs::File;
    use std::io::Read as _;

    /// Nobody has longer files of users than this on one machine; the rest would only take time.
    const MAX_USERS_BYTES: u64 = 4 * 1024 * 1024;

    /// What Linux has where nobody logged in, as of a service.
    const NOBODY: u32 = u32::MAX;

    #[allow(clippy::unnecessary_wraps, reason = "other systems have no numbers for users")]
    pub(super) fn uid() -> Option<u32> {
        Some(rustix::process::getuid().as_raw())
    }

    pub(super) fn host() -> Option<String> {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Some(name).filter(|name| !name.is_empty())
    }

    pub(super) fn login_uid() -> Option<u32> {
        read("/proc/self/loginuid")?.trim().parse().ok().filter(|uid| *uid != NOBODY)
    }

    /// The name in the machine's own list of users.
    pub(super) fn name_of(uid: u32) -> Option<String> {
        name_in(&read("/etc/passwd")?, uid)
    }

    /// A line is `name:password:uid:…`.
    pub(super) fn name_in(users: &str, uid: u32) -> Option<String> {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (name, number) = (fields.next()?, fields.nth(1)?);
            (number.parse() == Ok(uid) && !name.is_empty()).then(|| name.to_owned())
        })
    }

    fn read(path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        File::open(path).ok()?.take(MAX_USERS_BYTES).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(not(unix))]
mod system {
    pub(super) fn uid() -> Option<u32> {
        None
    }

    pub(super) fn host() -> Option<String> {
        None
    }

    pub(super) fn login_uid() -> Option<u32> {
        None
    }

    pub(super) fn name_of(_: u32) -> Option<String> {
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_the_number_in_the_list_of_users() {
        let users = "root:x:0:0::/:/bin/sh\nbroken\n+@staff\nanna:x:1000:1000::/:/bin/sh\n:x:7:7:::\n";
        assert_eq!(system::name_in(users, 1000).as_deref(), Some("anna"));
        assert_eq!(system::name_in(users, 0).as_deref(), Some("root"));
        for unknown in [1, 7, 100] {
            assert_eq!(system::name_in(users, unknown), None);
        }
    }

    #[test]
    fn the_environment_names_nobody_whom_the_system_knows() {
        let names = Names { user: Some("a liar".to_owned()), host: Some("elsewhere".to_owned()), ..Names::default() };
        let who = Who::of_process(names, Some("Anna".to_owned()));
        let uid = rustix::process::getuid().as_raw();
        assert_eq!((who.uid, who.by.as_deref()), (Some(uid), Some("Anna")));
        assert_ne!(who.host.as_deref(), Some("elsewhere"));
        assert_eq!(who.user, Some(system::name_of(uid).unwrap_or_else(|| "a liar".to_owned())));
    }
}
