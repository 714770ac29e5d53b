//! HL7 v2 from monitors and their gateways: ORU^R01 in MLLP frames into readings for the topic.
//!
//! In reading order:
//! - [`framing`]: bytes into frames; `charset`, [`message`], `escape`: a frame into segments, fields and text
//! - [`sender`]: who sends, and how it is read: codes, units, identity, the zone of its clock
//! - [`judge`]: a message into readings, or why not; `value`, `unit`, `time`, `zone` are what that takes; [`remark`] tells of
//!   each segment
//! - `answer`: what the sender is told, which it only is when Kafka has the readings
//! - [`listener`], `session`, `lane`: connections, one of them, and the way of all into Kafka; [`figures`] counts
//!
//! Nothing here prints, and no text of an error holds what a message said: that may be patient data.

mod answer;
mod charset;
mod escape;
pub mod figures;
pub mod framing;
pub mod judge;
mod lane;
pub mod listener;
pub mod message;
pub mod notice;
pub mod refusal;
pub mod remark;
pub mod sender;
mod session;
#[cfg(test)]
mod tests;
mod time;
mod unit;
mod value;
mod zone;

use self::message::Message;
use self::sender::Sender;

/// The names of a message's segments, as places in it: `PID`, `OBX[3]`. Nothing of what cannot be read.
pub fn lines(message: &[u8], sender: &Sender) -> Vec<String> {
    let Ok((text, _)) = charset::decode(message, sender.charset) else { return Vec::new() };
    let Ok(message) = Message::of(&text) else { return Vec::new() };
    let mut counts = std::collections::HashMap::<&str, usize>::new();
    let place = |name| {
        let count = counts.entry(name).or_default();
        *count += 1;
        if matches!(name, "OBX" | "OBR") || *count > 1 { format!("{name}[{count}]") } else { name.to_owned() }
    };
    message.segments().map(|segment| segment.name()).map(place).collect()
}
