//! What can be wrong with a link.

use std::time::Duration;

use super::schedule::Schedule;

/// What is wrong with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Connections are ended, and new ones at once.
    Down,
    /// The same by a reset instead of an end.
    Reset,
    /// Connections are ended, and nobody listens.
    Refused,
    /// Connections stay, and carry nothing until it is over.
    Silence,
    /// Connections stay, and never carry anything again; new ones are as ever. So it is with a server that lost its
    /// power, or a firewall that forgot.
    Forgotten,
    /// All connections are ended when so many bytes have passed, once.
    CutAfter(i64),
    /// Bytes come in slices.
    Slices,
    /// Each piece comes late.
    Delay,
    /// 64 KB/s.
    Narrow,
}

impl Trouble {
    /// For the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Down => "links down",
            Self::Reset => "resets",
            Self::Refused => "refusals",
            Self::Silence => "silent links",
            Self::Forgotten => "dead connections",
            Self::CutAfter(_) => "cuts",
            Self::Slices => "slices",
            Self::Delay => "delays",
            Self::Narrow => "narrow links",
        }
    }

    /// One of them.
    pub(super) fn draw(schedule: &mut Schedule) -> Self {
        match schedule.below(9) {
            0 => Self::Down,
            1 => Self::Reset,
            2 => Self::Refused,
            3 => Self::Silence,
            4 => Self::Forgotten,
            5 => Self::CutAfter(i64::from(schedule.below(100_000))),
            6 => Self::Slices,
            7 => Self::Delay,
            _ => Self::Narrow,
        }
    }

    /// One that lets nothing through as long as it lasts.
    pub(super) fn draw_outage(schedule: &mut Schedule) -> Self {
        match schedule.below(4) {
            0 => Self::Down,
            1 => Self::Reset,
            2 => Self::Refused,
            _ => Self::Silence,
        }
    }

    /// How long it lasts. Many lengths are short, since each moment has its own trouble; a silence is sometimes longer
    /// than a request may take (5 s), and than a session lasts (10 s).
    pub(super) fn length(self, schedule: &mut Schedule) -> Duration {
        let is_long = match self {
            Self::Silence => schedule.below(3) == 0,
            Self::Down | Self::Reset | Self::Refused => schedule.below(6) == 0,
            _ => false,
        };
        schedule.millis(if is_long { 5_500..13_000 } else { 100..2_000 })
    }
}
