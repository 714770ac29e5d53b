//! What can keep `vitals listen` from its work, besides the cluster and the address. No text here shows a message.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::advice::{Advice, Code};
use crate::intake::hl7::sender::BUILT_IN;
use crate::suggestion::nearest;
use crate::tls::TlsError;
use crate::toml_table::TomlError;

/// Why nobody is listened to, or no message is explained.
#[derive(Debug, thiserror::Error)]
pub enum ListenCommandError {
    /// Whoever is on the network could read along.
    #[error("{0} can be reached from other machines, and what monitors send could be read")]
    Reachable(SocketAddr),
    /// Neither a sender that is built in nor a path.
    #[error("there is no sender named '{}'", .0.display())]
    NoSender(PathBuf),
    /// A file cannot be read.
    #[error("cannot read {}", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// It is far too long.
    #[error("{} is longer than {} bytes", .0.display(), .1)]
    TooLong(PathBuf, u64),
    /// It is no text.
    #[error("{} is not UTF-8", .0.display())]
    NotUtf8(PathBuf),
    /// It is no file of a sender.
    #[error("{}, {}", .0.display(), .1)]
    Mistake(PathBuf, TomlError),
    /// The file has no message.
    #[error("there is no message in {}", .0.display())]
    NoMessage(PathBuf),
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Advice for ListenCommandError {
    fn code(&self) -> Code {
        match self {
            Self::Reachable(_) | Self::NoSender(_) | Self::Unreadable(..) | Self::Tls(_) => Code::Usage,
            Self::TooLong(..) | Self::NotUtf8(_) | Self::Mistake(..) | Self::NoMessage(_) => Code::BadData,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Reachable(_) => {
                "give --tls-cert and --tls-key; where monitors speak no TLS, and their network is their own, --in-the-clear"
                    .to_owned()
            }
            Self::NoSender(named) => {
                let meant = named.to_str().and_then(|name| nearest(name, BUILT_IN));
                let question = meant.map(|meant| format!("did you mean {meant}? ")).unwrap_or_default();
                format!("{question}there are {}; a file is named by its path", BUILT_IN.join(", "))
            }
            Self::Unreadable(..) => "check the path, and that it may be read; `vitals guide hl7` shows a file".to_owned(),
            Self::TooLong(..) => "name the file of a sender, or of a message".to_owned(),
            Self::NotUtf8(_) => "save the file as UTF-8".to_owned(),
            Self::Mistake(_, mistake) => return mistake.hint(),
            Self::NoMessage(_) => "a message begins with MSH, with or without the start byte of MLLP".to_owned(),
            Self::Tls(error) => return error.hint("tls"),
        })
    }
}
