//! `vitals grants`: what the servers have to allow, as the lines that allow it.

use std::fmt::Write as _;

use clap::ValueEnum;
use color_eyre::eyre::Result;

use super::Context;
use crate::advice::Code;
use crate::diagnose::rights::Role;
use crate::kafka::login::Mechanism;
use crate::kafka::right::{Operation, Resource, Right};
use crate::loadtest;
use crate::settings::{ServerAccess, Settings};
use crate::store::cassandra::error::in_quotes;

/// For whom, and of which server.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints and changes nothing: whoever runs the servers runs the lines. They name
the topics, the group and the keyspace of the settings; in Cassandra the tables
have to be there already (vitals init), but for the admin who makes them.

Examples:
  vitals grants --for consumer
  vitals grants --for consumer --user ward-7 --only cassandra | cqlsh
  vitals grants --only kafka")]
pub struct Args {
    /// For whoever does this; without it for each in turn
    #[arg(long = "for", value_name = "ROLE", value_enum)]
    role: Option<Role>,
    /// The user, or role, that gets the rights [default: `vitals_consumer` and so on]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only the lines for this server
    #[arg(long, value_enum)]
    only: Option<Server>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Server {
    /// Lines for a shell that has Kafka's tools
    Kafka,
    /// Lines for cqlsh
    Cassandra,
}

/// Prints the lines.
#[allow(clippy::unused_async, reason = "every command has the same shape")]
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let settings = &context.settings;
    let roles = args.role.map_or(Role::ALL.to_vec(), |role| vec![role]);
    let is_wanted = |server| args.only.is_none_or(|only| only == server);
    let mut parts = Vec::new();
    for role in roles {
        let user = args.user.clone().unwrap_or_else(|| format!("vitals_{}", role.name()));
        if is_wanted(Server::Kafka) {
            parts.push(of_kafka(role, &user, settings));
        }
        if is_wanted(Server::Cassandra) {
            parts.push(of_cassandra(role, &user, settings));
        }
    }
    context.output.line(parts.join("\n\n"))?;
    Ok(Code::Done)
}

fn of_kafka(role: Role, user: &str, settings: &Settings) -> String {
    let broker = settings.brokers.as_slice().first().map(String::as_str).unwrap_or_default();
    let access = &settings.broker_access;
    // Kafka's tools come in the same way as everybody.
    let config = if *access == ServerAccess::default() { "" } else { " --command-config ADMIN.properties" };
    let (place, word) = (format!("--bootstrap-server {broker}{config}"), shell_word(&format!("User:{user}")));
    let mut text = format!("# Kafka, for the {}.", role.name());
    if access.login.is_none() && access.is_somebody() {
        text.push_str(" Whoever comes by a certificate alone has its subject for a name, as User:CN=ward.");
    }
    if role != Role::Admin {
        text.push_str(" The topics have to be there (vitals init).");
    }
    if settings.broker_mechanism != Mechanism::Plain {
        let _ = write!(
            text,
            "\n# The user, where there is none yet:\n\
             #   kafka-configs {place} --alter --entity-type users --entity-name {} --add-config \
             '{}=[password=…]'",
            shell_word(user),
            settings.broker_mechanism
        );
    }
    for (resource, operations) in by_resource(role.in_kafka(settings)) {
        // Writing into a text cannot fail.
        let _ = write!(text, "\nkafka-acls {place} --add --allow-principal {word}");
        for operation in operations {
            let _ = write!(text, " --operation {}", operation.name());
        }
        let _ = write!(text, " {}", resource.option());
    }
    if role == Role::Admin {
        text.push_str("\n# For bench as well, whose topic and group have names of their own:");
        let names = loadtest::own_names(&settings.topic);
        for resource in [Resource::Topic(names.clone()), Resource::Group(names)] {
            let _ = write!(
                text,
                "\n#   kafka-acls {place} --add --allow-principal {word} --operation All {} \
                 --resource-pattern-type prefixed",
                resource.option()
            );
        }
    }
    text
}

/// Each resource once, with all that is done to it.
fn by_resource(rights: Vec<Right>) -> Vec<(Resource, Vec<Operation>)> {
    let mut found: Vec<(Resource, Vec<Operation>)> = Vec::new();
    for Right { operation, resource } in rights {
        match found.iter_mut().find(|(known, _)| *known == resource) {
            Some((_, operations)) => operations.push(operation),
            None => found.push((resource, vec![operation])),
        }
    }
    found
}

fn of_cassandra(role: Role, user: &str, settings: &Settings) -> String {
    let Some(keyspace) = settings.store.keyspace() else {
        return format!("-- {}: the store is a file, whose owner says who may read and write it", settings.store);
    };
    let (name, statements) = (in_quotes(user), role.in_cassandra(keyspace, user));
    if statements.is_empty() {
        return format!("-- Cassandra: the {} needs no right there", role.name());
    }
    let mut text = format!(
        "-- Cassandra, for the {}. The role, where there is none yet:\n\
         --   CREATE ROLE {name} WITH LOGIN = true AND PASSWORD = '…';",
        role.name()
    );
    if role == Role::Admin {
        let _ = write!(
            text,
            "\n-- Who makes the keyspace may do everything in it. Where somebody else has made it:\n\
             --   GRANT ALL ON KEYSPACE {} TO {name};",
            in_quotes(keyspace)
        );
    }
    for statement in statements {
        let _ = write!(text, "\n{statement};");
    }
    text
}

fn shell_word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-:=,@/+".contains(letter);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Environment, Flags, resolve};

    fn settings() -> Settings {
        resolve(&Flags::default(), &Environment::default()).unwrap()
    }

    #[test]
    fn rights_are_lines_for_the_tools_of_each_server() {
        let kafka = of_kafka(Role::Consumer, "ward 7", &settings());
        let read =
            "kafka-acls --bootstrap-server localhost:9093 --add --allow-principal 'User:ward 7' --operation Read";
        assert!(kafka.contains(&format!("\n{read} --topic patient.vitals\n")), "{kafka}");
        assert!(kafka.contains("--operation Write --topic patient.vitals.dlq"), "{kafka}");
        let cql = of_cassandra(Role::Consumer, "Ward-7", &settings());
        assert!(cql.contains("\nGRANT MODIFY ON \"hospital\".patient_vitals TO \"Ward-7\";"), "{cql}");
    }

    #[test]
    fn a_resource_is_named_once_with_all_that_is_done_to_it() {
        let kafka = of_kafka(Role::Operator, "o", &settings());
        assert_eq!(kafka.matches("--topic patient.alarms").count(), 1, "{kafka}");
        assert!(kafka.contains("--operation DescribeConfigs --operation Write --topic patient.alarms"), "{kafka}");
    }
}
