//! `vitals serve token`: who may come to the server from other machines.

use color_eyre::eyre::Result;

use crate::advice::Code;
use crate::app;
use crate::app::author::{Author, line};
use crate::cmd::common::table::{Field, print};
use crate::cmd::{Context, unless_stopped};
use crate::output::{Column, FormatArgs};
use crate::server::tokens::{self, Given, Role, Tokens};

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A token is what a person, a screen or a program shows to come in. It has a name,
by which it is listed and taken back, and which the audit trail tells, and a role:

  viewer  looks on
  nurse   looks on, acknowledges alarms and pauses them
  admin   does everything
  device  sends readings, and sees nothing

The store has only what proves a token.

Examples:
  vitals serve token create --name west-3 --role nurse --by Anna
  vitals serve token revoke west-3 --by Anna")]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Give a token, and print it once
    Create(CreateArgs),
    /// List who has one
    List(ListArgs),
    /// Take a token back
    Revoke(RevokeArgs),
}

/// To whom, and for what.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It is printed this once, alone on its line: nobody can read it from the store.

Example:
  vitals serve token create --name grafana --role viewer --by Anna > grafana.token")]
struct CreateArgs {
    /// Whose it is to be
    #[arg(long, value_name = "NAME", value_parser = line)]
    name: String,
    /// What they may do: viewer, nurse, admin or device
    #[arg(long, value_name = "ROLE", value_parser = Role::parse)]
    role: Role,
    /// Who gives it
    #[arg(long, value_name = "NAME", value_parser = line)]
    by: String,
}

/// How to show them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  vitals serve token list -o json")]
struct ListArgs {
    #[command(flatten)]
    format: FormatArgs,
}

/// Whose.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Servers that run let it in for a second or two more, and end what it has open.

Example:
  vitals serve token revoke west-3 --by Anna")]
struct RevokeArgs {
    /// Whose it is
    #[arg(value_name = "NAME", value_parser = line)]
    name: String,
    /// Who takes it back
    #[arg(long, value_name = "NAME", value_parser = line)]
    by: String,
}

const FIELDS: [Field<Given>; 4] = [
    (Column::text("name", "NAME"), |given| given.name.as_str().into()),
    (Column::text("role", "ROLE"), |given| given.role.name().into()),
    (Column::text("given_by", "GIVEN BY"), |given| given.author.as_str().into()),
    (Column::text("given_at", "GIVEN"), |given| given.at.as_str().into()),
];

pub(super) async fn run(args: Args, context: &Context) -> Result<Code> {
    let work = async {
        match args.action {
            Action::Create(args) => create(&args, context).await,
            Action::List(args) => list(&args, context).await,
            Action::Revoke(args) => revoke(&args, context).await,
        }
    };
    unless_stopped(&context.shutdown, work).await
}

async fn create(args: &CreateArgs, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let store = app::open_store_to_change(settings, output).await?;
    let token = tokens::create(&store, &args.name, args.role, &Author::now(&args.by, "")?).await?;
    output.line(token.reveal())?;
    output.note(format_args!("'{}' is let in as {}; the token can be seen only now", args.name, args.role));
    Ok(Code::Done)
}

async fn list(args: &ListArgs, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let store = app::open_store_to_read(settings, output).await?;
    let mut tokens = Tokens::default();
    store.follow(&mut tokens).await?;
    if tokens.iter().next().is_none() {
        output.note("nobody has a token: see `vitals serve token create --help`");
    }
    print(output, args.format, &FIELDS, tokens.iter().cloned())?;
    Ok(Code::Done)
}

async fn revoke(args: &RevokeArgs, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let store = app::open_store_to_change(settings, output).await?;
    tokens::revoke(&store, &args.name, &Author::now(&args.by, "")?).await?;
    output.note(format_args!("'{}' is let in no more", args.name));
    Ok(Code::Done)
}
