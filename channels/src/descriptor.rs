//! Capability descriptors: one TOML file describes all channels, and every value in it is checked.

use suanpan_model::Capability;
use toml::{Table, Value};

use crate::behaviour::Behaviour;

mod conditions;
mod raw;
mod read;
mod values;

#[cfg(test)]
mod tests;

/// One channel as the file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// What it can do and what it costs.
    pub capability: Capability,
    /// How its simulator behaves; instant and faultless where the file says nothing.
    pub behaviour: Behaviour,
}

/// What is wrong with a descriptor file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorFault {
    /// It is not TOML.
    #[error("channel descriptors: {0}")]
    Syntax(String),
    /// It has no channels, or keys beside them.
    #[error("channel descriptors: expected `[[channel]]` tables and nothing else, found {0}")]
    Layout(String),
    /// A key is unknown or missing, or its value has the wrong type.
    #[error("channel {channel}: {message}")]
    Shape {
        /// The channel's name, or its place in the file.
        channel: String,
        /// Which key, and what was expected.
        message: String,
    },
    /// A value is wrong.
    #[error("channel {channel}: {key}: expected {expected}, found {found}")]
    Value {
        /// The channel's name.
        channel: String,
        /// The key, as a path.
        key: String,
        /// What was expected.
        expected: String,
        /// What stands there.
        found: String,
    },
}

/// Reads descriptors.
///
/// # Errors
/// Not TOML; other keys than `channel`, or no channel; then per channel in order: unknown, missing or mistyped keys; wrong
/// values; a number or name that an earlier channel has.
pub fn load_descriptors(toml: &str) -> Result<Vec<Descriptor>, DescriptorFault> {
    let file: Table =
        toml.parse().map_err(|error: toml::de::Error| DescriptorFault::Syntax(error.to_string()))?;
    if let Some(stranger) = file.keys().find(|key| *key != "channel") {
        return Err(DescriptorFault::Layout(format!("`{stranger}`")));
    }
    let tables = match file.get("channel") {
        Some(Value::Array(tables)) if !tables.is_empty() => tables,
        Some(_) => return Err(DescriptorFault::Layout("a `channel` that is no list of tables".to_owned())),
        None => return Err(DescriptorFault::Layout("no channel".to_owned())),
    };
    let mut descriptors: Vec<Descriptor> = Vec::with_capacity(tables.len());
    for (place, table) in tables.iter().enumerate() {
        let channel = table
            .get("name")
            .and_then(Value::as_str)
            .map_or_else(|| format!("number {}", place + 1), str::to_owned);
        let raw: raw::RawChannel =
            table.clone().try_into().map_err(|error: toml::de::Error| DescriptorFault::Shape {
                channel: channel.clone(),
                message: error.to_string().trim().replace('\n', " "),
            })?;
        let descriptor = read::descriptor(&channel, raw)?;
        let new = &descriptor.capability;
        for earlier in descriptors.iter().map(|known| &known.capability) {
            let (key, found) = match (earlier.id == new.id, earlier.name == new.name) {
                (true, _) => ("id", new.id.to_string()),
                (_, true) => ("name", new.name.to_string()),
                (false, false) => continue,
            };
            let read = values::Reader { channel: &channel };
            return Err(read.fault(key, "one that no earlier channel has", &found));
        }
        descriptors.push(descriptor);
    }
    Ok(descriptors)
}
