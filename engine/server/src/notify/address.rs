//! Where malls may be told: not inside the network that the engine stands in, unless that is allowed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

/// What addresses may be called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Whether plain HTTP and addresses inside the network are allowed: for development and tests.
    pub allow_internal: bool,
}

/// Why an address is not called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetFault {
    /// Not a URL.
    #[error("a URL such as https://mall.example/notify ({0})")]
    Form(String),
    /// Not over TLS.
    #[error("a URL that begins with https://")]
    Scheme,
    /// With a user or a password in it, which logs would show.
    #[error("a URL without user and password")]
    Credentials,
    /// With a fragment, which is never sent.
    #[error("a URL without a fragment (#)")]
    Fragment,
    /// Inside the network.
    #[error("an address on the public network, not {0}")]
    Internal(String),
}

impl Guard {
    /// Reads the address of a mall.
    ///
    /// # Errors
    /// What is wrong with it. A host name is looked at once more when it is resolved.
    pub fn read(self, text: &str) -> Result<Url, TargetFault> {
        let url = Url::parse(text).map_err(|fault| TargetFault::Form(fault.to_string()))?;
        let is_scheme = url.scheme() == "https" || self.allow_internal && url.scheme() == "http";
        if !is_scheme {
            return Err(TargetFault::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetFault::Credentials);
        }
        if url.fragment().is_some() {
            return Err(TargetFault::Fragment);
        }
        let host = url.host_str().unwrap_or_default();
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_local_name =
            host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost");
        let is_internal = literal.map_or(is_local_name, |address| !self.allows(address));
        if is_internal && !self.allow_internal {
            return Err(TargetFault::Internal(host.to_owned()));
        }
        Ok(url)
    }

    /// Whether an address may be called.
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        self.allow_internal
            || match address {
                IpAddr::V4(address) => is_public_v4(address),
                IpAddr::V6(address) => is_public_v6(address),
            }
    }
}

/// IANA's special-purpose registry: only what can be reached from everywhere.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_protocol = a == 192 && b == 0 && c == 0;
    let is_relay = a == 192 && b == 88 && c == 99;
    let is_benchmark = a == 198 && (18..20).contains(&b);
    let is_reserved = a >= 240;
    !(a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || is_shared
        || is_protocol
        || is_relay
        || is_benchmark
        || is_reserved)
}

/// Global unicast only, and what carries an IPv4 address by that address.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let low = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match parts {
        // NAT64 (RFC 6052) and 6to4 (RFC 3056) lead to the address inside.
        [0x64, 0xff9b, 0, 0, 0, 0, high, last] => is_public_v4(low(high, last)),
        [0x2002, high, last, ..] => is_public_v4(low(high, last)),
        // Protocol assignments with Teredo (2001::/23), documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_inside_the_network_are_told_apart() {
        let strict = Guard::default();
        let inside = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "3fff::1",
        ];
        for text in inside {
            let address: IpAddr = text.parse().unwrap();
            assert!(!strict.allows(address), "{text}");
            assert!(Guard { allow_internal: true }.allows(address), "{text}");
        }
        let outside = [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2400:3200::1",
            "64:ff9b::808:808",
            "2002:808:808::",
        ];
        for text in outside {
            assert!(strict.allows(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn urls_are_read_or_refused() {
        let table = [
            ("https://mall.example/notify?shop=1", Ok(())),
            ("https://8.8.8.8:8443/", Ok(())),
            ("http://mall.example/notify", Err("https")),
            ("ftp://mall.example/", Err("https")),
            ("mall.example/notify", Err("a URL such as")),
            ("https://user:secret@mall.example/", Err("user and password")),
            ("https://mall.example/#top", Err("fragment")),
            ("https://127.0.0.1/", Err("127.0.0.1")),
            ("https://2130706433/", Err("127.0.0.1")),
            ("https://0x7f.1/", Err("127.0.0.1")),
            ("https://[::1]/", Err("::1")),
            ("https://[::ffff:10.0.0.1]/", Err("::ffff")),
            ("https://LOCALHOST/", Err("localhost")),
            ("https://a.localhost/", Err("localhost")),
        ];
        for (text, expected) in table {
            match (Guard::default().read(text), expected) {
                (Ok(_), Ok(())) => {}
                (Err(fault), Err(part)) => {
                    let told = fault.to_string();
                    assert!(told.contains(part), "{text}: {told}");
                    assert!(!told.contains("secret"), "{told}");
                }
                (read, _) => panic!("{text}: {read:?}"),
            }
        }
        for text in ["http://127.0.0.1:9/", "https://localhost/"] {
            assert!(Guard { allow_internal: true }.read(text).is_ok(), "{text}");
        }
    }
}
