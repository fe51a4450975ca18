//! Distinguished names: subjects of certificates, compared attribute by attribute.

use std::fmt;
use std::str::FromStr;

use x509_parser::x509::X509Name;

/// Attribute types with a short name (RFC 4514, RFC 4519).
const TYPES: [(&str, &str); 11] = [
    ("CN", "2.5.4.3"),
    ("serialNumber", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
];

/// A name as RFC 4514 writes it, the most specific part first: `CN=mall.example,O=Mall Ltd,C=CN`. Two are equal when they
/// have the same attributes with the same values in the same order, however they are written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DistinguishedName(Vec<Vec<Attribute>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Attribute {
    /// Object identifier in dotted form.
    oid: String,
    value: String,
}

/// Not a distinguished name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a name such as CN=mall.example,O=Mall Ltd,C=CN")]
pub struct NameFault;

impl DistinguishedName {
    /// The name in a certificate; nothing when it is empty or has a value that is not text.
    #[must_use]
    pub fn of(name: &X509Name<'_>) -> Option<Self> {
        let mut parts = Vec::new();
        for part in name.iter_rdn() {
            let mut attributes = Vec::new();
            for attribute in part.iter() {
                let value = attribute.as_str().ok()?.to_owned();
                attributes.push(Attribute { oid: attribute.attr_type().to_id_string(), value });
            }
            attributes.sort();
            parts.push(attributes);
        }
        // Certificates have the most general part first.
        parts.reverse();
        Some(Self(parts)).filter(|name| !name.0.is_empty())
    }

    /// Object identifier and value of each attribute, the most specific first; nothing when a part has several.
    #[must_use]
    pub fn attributes(&self) -> Option<Vec<(&str, &str)>> {
        let single = |part: &Vec<Attribute>| part.len() == 1;
        self.0.iter().all(single).then(|| {
            self.0
                .iter()
                .flatten()
                .map(|attribute| (attribute.oid.as_str(), attribute.value.as_str()))
                .collect()
        })
    }
}

impl FromStr for DistinguishedName {
    type Err = NameFault;

    fn from_str(text: &str) -> Result<Self, NameFault> {
        let mut rest = text;
        let mut parts = Vec::new();
        let mut attributes = Vec::new();
        loop {
            let (attribute, end, after) = attribute(rest)?;
            attributes.push(attribute);
            rest = after;
            if end != Some('+') {
                attributes.sort();
                parts.push(std::mem::take(&mut attributes));
            }
            if end.is_none() {
                return Ok(Self(parts));
            }
        }
    }
}

/// One attribute, the character that ended it, and what follows.
fn attribute(text: &str) -> Result<(Attribute, Option<char>, &str), NameFault> {
    let (name, rest) = text.split_once('=').ok_or(NameFault)?;
    let name = name.trim();
    let is_oid = name.contains('.') && name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let known = TYPES.iter().find(|(short, _)| short.eq_ignore_ascii_case(name));
    let oid = known.map(|(_, oid)| *oid).or_else(|| is_oid.then_some(name)).ok_or(NameFault)?;
    let (value, end, after) = value(rest.trim_start())?;
    Ok((Attribute { oid: oid.to_owned(), value }, end, after))
}

/// A value without its escapes: `\,` is a comma, `\E4` a byte of UTF-8.
fn value(text: &str) -> Result<(String, Option<char>, &str), NameFault> {
    let mut bytes: Vec<u8> = Vec::new();
    // Spaces at the end do not count unless they are escaped.
    let mut solid = 0;
    let mut end = None;
    let mut characters = text.char_indices();
    let mut after = "";
    while let Some((place, character)) = characters.next() {
        match character {
            ',' | '+' => {
                end = Some(character);
                after = &text[place + 1..];
                break;
            }
            '\\' => {
                let (place, escaped) = characters.next().ok_or(NameFault)?;
                if escaped.is_ascii_hexdigit() {
                    characters.next().filter(|(_, low)| low.is_ascii_hexdigit()).ok_or(NameFault)?;
                    let pair = text.get(place..place + 2).ok_or(NameFault)?;
                    bytes.push(u8::from_str_radix(pair, 16).map_err(|_| NameFault)?);
                } else {
                    bytes.push(u8::try_from(escaped).map_err(|_| NameFault)?);
                }
                solid = bytes.len();
            }
            '"' | '<' | '>' | ';' => return Err(NameFault),
            _ => {
                bytes.extend(character.encode_utf8(&mut [0; 4]).bytes());
                if character != ' ' {
                    solid = bytes.len();
                }
            }
        }
    }
    bytes.truncate(solid);
    let value = String::from_utf8(bytes).map_err(|_| NameFault)?;
    if value.is_empty() { Err(NameFault) } else { Ok((value, end, after)) }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, part) in self.0.iter().enumerate() {
            for (inner, attribute) in part.iter().enumerate() {
                match (place, inner) {
                    (0, 0) => {}
                    (_, 0) => f.write_str(",")?,
                    (_, _) => f.write_str("+")?,
                }
                let known = TYPES.iter().find(|(_, oid)| *oid == attribute.oid);
                let name = known.map_or(attribute.oid.as_str(), |(short, _)| short);
                write!(f, "{name}={}", escaped(&attribute.value))?;
            }
        }
        Ok(())
    }
}

fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (place, character) in value.chars().enumerate() {
        let edge = (character == ' ' && (place == 0 || place == last)) || (character == '#' && place == 0);
        if edge || ",+\"\\<>;=".contains(character) {
            text.push('\\');
            text.push(character);
        } else if character.is_control() {
            for byte in character.to_string().bytes() {
                text.push_str(&format!("\\{byte:02X}"));
            }
        } else {
            text.push(character);
        }
    }
    text
}
