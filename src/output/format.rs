//! The formats in which a command shows its data.

/// How a command shows its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Columns for people; a missing value is `-`.
    Table,
    /// One array of objects; a missing value is null.
    Json,
    /// One object a line; a missing value is null.
    Ndjson,
    /// A line of names, then one line a row; a missing value is empty, the items of a list stand apart by spaces.
    Csv,
}

/// The option `-o`, for every command that shows data.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct FormatArgs {
    /// How to show the data [default: table on a terminal, ndjson elsewhere]
    #[arg(short = 'o', long = "output", value_name = "FORMAT", value_enum)]
    pub format: Option<Format>,
}

impl FormatArgs {
    /// The format that was asked for, or the one that suits where standard output goes.
    pub fn choose(self, stdout_is_terminal: bool) -> Format {
        self.format.unwrap_or(if stdout_is_terminal { Format::Table } else { Format::Ndjson })
    }
}

/// The formats in which a command shows one object: there are no rows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ObjectFormat {
    /// One screen, for people
    Table,
    /// One object, over several lines
    Json,
    /// One object on one line
    Ndjson,
}

/// The option `-o` of a command that shows one object.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct ObjectFormatArgs {
    /// How to show it [default: table on a terminal, ndjson elsewhere]
    #[arg(short = 'o', long = "output", value_name = "FORMAT", value_enum)]
    pub format: Option<ObjectFormat>,
}

impl ObjectFormatArgs {
    /// The format that was asked for, or the one that suits where standard output goes.
    pub fn choose(self, stdout_is_terminal: bool) -> ObjectFormat {
        let suitable = if stdout_is_terminal { ObjectFormat::Table } else { ObjectFormat::Ndjson };
        self.format.unwrap_or(suitable)
    }
}
