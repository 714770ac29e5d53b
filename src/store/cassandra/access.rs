//! How nodes are spoken with: inside TLS, and as whom.

use crate::secret::Secret;
use crate::tls::Tls;

/// How every node of a cluster is spoken with. By itself in the clear, as nobody, and all nodes alike.
#[derive(Debug, Clone, Default)]
pub struct NodeAccess {
    /// Inside TLS.
    pub tls: Option<Tls>,
    /// As this role.
    pub login: Option<NodeLogin>,
    /// The data centre whose nodes are asked.
    pub local_dc: Option<String>,
}

/// A role of the cluster that may log in.
#[derive(Debug, Clone)]
pub struct NodeLogin {
    /// Its name.
    pub role: String,
    /// Its password.
    pub password: Secret,
}

impl NodeLogin {
    /// What the server's authenticator takes: SASL's PLAIN, whatever its name is.
    pub(super) fn proof(&self) -> Vec<u8> {
        format!("\0{}\0{}", self.role, self.password.reveal()).into_bytes()
    }
}
