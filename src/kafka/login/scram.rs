//! SCRAM (RFC 5802, with the hashes of RFC 7677): each side proves that it knows the password, and nobody sends it.
//!
//! As Kafka speaks it: the password counts byte by byte, there is no channel binding, and a server that asks for too few
//! rounds, which would make the password easy to guess from what was sent, is refused as Kafka itself refuses it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha256, Sha512};

/// How many rounds of hashing a server may ask for: Kafka's own limits.
const ROUNDS: std::ops::RangeInclusive<u32> = 4096..=16_384;

/// That no channel is bound, as it is repeated: `n,,` in base 64.
const NO_BINDING: &str = "c=biws";

/// The hash that both sides use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    fn keyed(self, key: &[u8], bytes: &[u8]) -> Result<Vec<u8>, Unproven> {
        match self {
            Self::Sha256 => keyed::<Hmac<Sha256>>(key, bytes),
            Self::Sha512 => keyed::<Hmac<Sha512>>(key, bytes),
        }
    }

    fn stretch(self, password: &[u8], salt: &[u8], rounds: u32) -> Vec<u8> {
        match self {
            Self::Sha256 => {
                let mut key = [0; 32];
                pbkdf2_hmac::<Sha256>(password, salt, rounds, &mut key);
                key.to_vec()
            }
            Self::Sha512 => {
                let mut key = [0; 64];
                pbkdf2_hmac::<Sha512>(password, salt, rounds, &mut key);
                key.to_vec()
            }
        }
    }
}

fn keyed<M: Mac + KeyInit>(key: &[u8], bytes: &[u8]) -> Result<Vec<u8>, Unproven> {
    let mac = <M as Mac>::new_from_slice(key).map_err(|_| Unproven::Unclear("a key that cannot be used"))?;
    Ok(mac.chain_update(bytes).finalize().into_bytes().to_vec())
}

/// Why the exchange cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unproven {
    #[error("{0}")]
    Unclear(&'static str),
    #[error("{0} rounds of hashing, where Kafka has {low} to {high}", low = ROUNDS.start(), high = ROUNDS.end())]
    Rounds(u32),
    #[error("a proof that it does not know the password")]
    WrongSignature,
    #[error("'{0}'")]
    Refused(String),
}

/// What a client says, step by step.
pub(crate) struct Exchange<'a> {
    pub(crate) hash: Hash,
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    /// Text that was never used before.
    pub(crate) nonce: &'a str,
}

/// What the server has to answer in the end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(super) signature: Vec<u8>,
}

impl Exchange<'_> {
    /// The first message.
    pub(crate) fn first(&self) -> String {
        format!("n,,{}", self.bare())
    }

    fn bare(&self) -> String {
        let user = self.user.replace('=', "=3D").replace(',', "=2C");
        format!("n={user},r={}", self.nonce)
    }

    /// The second message, which answers the server's first one; and what has to come back.
    pub(crate) fn answer(&self, challenge: &[u8]) -> Result<(String, Expected), Unproven> {
        let challenge = text(challenge)?;
        let mut parts = challenge.split(',');
        let nonce = part(parts.next(), "r=")?;
        let salt = part(parts.next(), "s=")?;
        let rounds = part(parts.next(), "i=")?;
        if !nonce.starts_with(self.nonce) || nonce.len() == self.nonce.len() {
            return Err(Unproven::Unclear("an answer to another exchange"));
        }
        let salt = BASE64_STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty());
        let salt = salt.ok_or(Unproven::Unclear("a salt that cannot be read"))?;
        let rounds: u32 = rounds.parse().map_err(|_| Unproven::Unclear("a number of rounds that cannot be read"))?;
        if !ROUNDS.contains(&rounds) {
            return Err(Unproven::Rounds(rounds));
        }
        let salted = self.hash.stretch(self.password.as_bytes(), &salt, rounds);
        let unproven = format!("{NO_BINDING},r={nonce}");
        let all = format!("{},{challenge},{unproven}", self.bare());
        let client_key = self.hash.keyed(&salted, b"Client Key")?;
        let signature = self.hash.keyed(&self.hash.of(&client_key), all.as_bytes())?;
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let server_key = self.hash.keyed(&salted, b"Server Key")?;
        let expected = Expected { signature: self.hash.keyed(&server_key, all.as_bytes())? };
        Ok((format!("{unproven},p={}", BASE64_STANDARD.encode(proof)), expected))
    }
}

impl Expected {
    /// Whether the server's last message proves that it knows the password too.
    pub(crate) fn verify(&self, last: &[u8]) -> Result<(), Unproven> {
        let last = text(last)?;
        let mut parts = last.split(',');
        let first = parts.next().unwrap_or_default();
        if let Some(reason) = first.strip_prefix("e=") {
            return Err(Unproven::Refused(reason.to_owned()));
        }
        let signature = part(Some(first), "v=")?;
        let signature = BASE64_STANDARD.decode(signature).map_err(|_| Unproven::WrongSignature)?;
        // It is the server's secret to keep: how far it was right tells nobody anything.
        if signature == self.signature { Ok(()) } else { Err(Unproven::WrongSignature) }
    }
}

/// What a server keeps of a password: enough to know it again, and not enough to be somebody with it.
pub(crate) struct Verifier {
    hash: Hash,
    salt: Vec<u8>,
    /// The hash of the client's key.
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

impl Verifier {
    pub(crate) fn new(hash: Hash, password: &str) -> Self {
        let salt: [u8; 16] = rand::random();
        let salted = hash.stretch(password.as_bytes(), &salt, *ROUNDS.start());
        let key = |name: &[u8]| hash.keyed(&salted, name).unwrap_or_default();
        Self { hash, salt: salt.to_vec(), stored_key: hash.of(&key(b"Client Key")), server_key: key(b"Server Key") }
    }
}

/// Asks those who are nobody as if they were somebody: the same name gets the same salt each time, as a user would.
pub(crate) struct Strangers([u8; 32]);

impl Strangers {
    pub(crate) fn new() -> Self {
        Self(rand::random())
    }

    /// What nobody can prove to know.
    fn verifier(&self, hash: Hash, user: &str) -> Option<Verifier> {
        let mut salt = hash.keyed(&self.0, user.as_bytes()).ok()?;
        salt.truncate(16);
        let (stored_key, server_key) = (hash.of(&rand::random::<[u8; 32]>()), hash.of(&rand::random::<[u8; 32]>()));
        Some(Verifier { hash, salt, stored_key, server_key })
    }
}

/// A server's half of an exchange, between its two messages.
pub(crate) struct Challenge {
    hash: Hash,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
    /// What both have said, without the ends that nothing is proven by.
    said: String,
    nonce: String,
}

impl Challenge {
    /// What is asked of whoever says this first; `None` where that is no beginning of an exchange.
    pub(crate) fn answer<'a>(
        first: &[u8],
        find: impl FnOnce(&str) -> Option<&'a Verifier>,
        (hash, strangers): (Hash, &Strangers),
    ) -> Option<(Self, String)> {
        let bare = text(first).ok()?.strip_prefix("n,,")?;
        let mut parts = bare.split(',');
        let user = part(parts.next(), "n=").ok()?.replace("=2C", ",").replace("=3D", "=");
        let theirs = part(parts.next(), "r=").ok().filter(|nonce| !nonce.is_empty())?;
        let stranger = strangers.verifier(hash, &user)?;
        let Verifier { hash, salt, stored_key, server_key } = find(&user).unwrap_or(&stranger);
        let nonce = format!("{theirs}{}", BASE64_STANDARD.encode(rand::random::<[u8; 18]>()));
        let challenge = format!("r={nonce},s={},i={}", BASE64_STANDARD.encode(salt), ROUNDS.start());
        let (said, stored_key, server_key) = (format!("{bare},{challenge}"), stored_key.clone(), server_key.clone());
        Some((Self { hash: *hash, stored_key, server_key, said, nonce }, challenge))
    }

    /// The server's own proof, for a client that has proven that it knows the password.
    pub(crate) fn verify(&self, last: &[u8]) -> Option<String> {
        let (unproven, proof) = text(last).ok()?.rsplit_once(",p=")?;
        if unproven != format!("{NO_BINDING},r={}", self.nonce) {
            return None;
        }
        let all = format!("{},{unproven}", self.said);
        let signature = self.hash.keyed(&self.stored_key, all.as_bytes()).ok()?;
        let proof = BASE64_STANDARD.decode(proof).ok().filter(|proof| proof.len() == signature.len())?;
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        // Of a hash: how far it is right tells nothing of what it was made of.
        if self.hash.of(&client_key) != self.stored_key {
            return None;
        }
        Some(format!("v={}", BASE64_STANDARD.encode(self.hash.keyed(&self.server_key, all.as_bytes()).ok()?)))
    }
}

fn text(bytes: &[u8]) -> Result<&str, Unproven> {
    std::str::from_utf8(bytes).map_err(|_| Unproven::Unclear("bytes that are no text"))
}

/// What follows its name. Parts stand in the order of the standard; one that would have to be understood and is not
/// (`m=`) stands in the place of another.
fn part<'a>(part: Option<&'a str>, name: &str) -> Result<&'a str, Unproven> {
    part.and_then(|part| part.strip_prefix(name)).ok_or(Unproven::Unclear("a message with a part missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3.
    const EXAMPLE: Exchange<'static> =
        Exchange { hash: Hash::Sha256, user: "user", password: "pencil", nonce: "rOprNGfwEbeRWgbNEkqO" };
    const CHALLENGE: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    #[test]
    fn the_example_of_the_standard_comes_out() {
        assert_eq!(EXAMPLE.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (answer, expected) = EXAMPLE.answer(CHALLENGE.as_bytes()).unwrap();
        assert_eq!(
            answer,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(expected.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
    }

    #[test]
    fn both_sides_know_each_other_by_the_password_and_by_nothing_else() {
        for hash in [Hash::Sha256, Hash::Sha512] {
            let (verifier, strangers) = (Verifier::new(hash, "pencil"), Strangers::new());
            let salt = |user: &str| strangers.verifier(hash, user).unwrap().salt;
            assert!(salt("x") == salt("x") && salt("x") != salt("y") && salt("x").len() == verifier.salt.len());
            let prove = |user: &str, password: &str| {
                let exchange = Exchange { hash, user, password, nonce: "once" };
                let find = |known: &str| (known == "a=b,c").then_some(&verifier);
                let (challenge, text) = Challenge::answer(exchange.first().as_bytes(), find, (hash, &strangers))?;
                let (proof, expected) = exchange.answer(text.as_bytes()).unwrap();
                let last = challenge.verify(proof.as_bytes())?;
                assert_eq!(expected.verify(last.as_bytes()), Ok(()));
                assert_eq!(challenge.verify(proof.replace("c=biws", "c=eSws").as_bytes()), None, "another binding");
                Some(())
            };
            assert_eq!(prove("a=b,c", "pencil"), Some(()));
            assert_eq!(prove("a=b,c", "pencils"), None);
            assert_eq!(prove("other", "pencil"), None);
        }
        for first in [&b""[..], b"n,,", b"n,,n=a", b"n,,n=a,r=", b"y,,n=a,r=x", &[0xff]] {
            assert!(Challenge::answer(first, |_| None, (Hash::Sha256, &Strangers::new())).is_none());
        }
    }

    #[test]
    fn a_name_keeps_what_would_end_it() {
        let exchange = Exchange { user: "a=b,c", ..EXAMPLE };
        assert_eq!(exchange.first(), "n,,n=a=3Db=2Cc,r=rOprNGfwEbeRWgbNEkqO");
    }

    #[test]
    fn another_password_proves_something_else() {
        let other = Exchange { password: "pencils", ..EXAMPLE };
        let (answer, expected) = other.answer(CHALLENGE.as_bytes()).unwrap();
        assert_ne!(answer, EXAMPLE.answer(CHALLENGE.as_bytes()).unwrap().0);
        let signature = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(expected.verify(signature), Err(Unproven::WrongSignature));
    }

    #[test]
    fn a_challenge_that_is_none_is_refused() {
        let refused = |challenge: &[u8]| EXAMPLE.answer(challenge).unwrap_err();
        let missing = Unproven::Unclear("a message with a part missing");
        let rest = "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        for challenge in
            ["", "r", "r=", "e=other-error", "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=4096", "r=rOprNGfwEbeRWgbNEkqOx"]
        {
            assert!(matches!(refused(challenge.as_bytes()), Unproven::Unclear(_)), "{challenge}");
        }
        assert_eq!(refused(format!("m=x,{CHALLENGE}").as_bytes()), missing);
        let other = Unproven::Unclear("an answer to another exchange");
        assert_eq!(refused(format!("r=rOprNGfwEbeRWgbNEkqO,{rest}").as_bytes()), other, "nothing of the server's");
        assert_eq!(refused(format!("r=x,{rest}").as_bytes()), other);
        assert_eq!(refused(&[0xff, 0xfe]), Unproven::Unclear("bytes that are no text"));
        let salt = Unproven::Unclear("a salt that cannot be read");
        for text in ["s=,i=4096", "s=*,i=4096"] {
            assert_eq!(refused(format!("r=rOprNGfwEbeRWgbNEkqOx,{text}").as_bytes()), salt, "{text}");
        }
        for (rounds, error) in [
            ("4095", Unproven::Rounds(4095)),
            ("16385", Unproven::Rounds(16_385)),
            ("x", Unproven::Unclear("a number of rounds that cannot be read")),
            ("-1", Unproven::Unclear("a number of rounds that cannot be read")),
        ] {
            let challenge = format!("r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i={rounds}");
            assert_eq!(refused(challenge.as_bytes()), error);
        }
    }

    #[test]
    fn a_last_message_that_proves_nothing_is_refused() {
        let (_, expected) = EXAMPLE.answer(CHALLENGE.as_bytes()).unwrap();
        let other = Unproven::WrongSignature;
        for last in ["v=", "v=*", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G=="] {
            assert_eq!(expected.verify(last.as_bytes()), Err(other.clone()), "{last}");
        }
        assert_eq!(expected.verify(b"e=invalid-proof"), Err(Unproven::Refused("invalid-proof".to_owned())));
        assert_eq!(expected.verify(b""), Err(Unproven::Unclear("a message with a part missing")));
    }
}
