//! Who may scrape: addresses that are served, and the bearer token of a scraper.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use crate::core::secret::{self, Secret};
use crate::exit::CommandError;
use crate::sys::files::{self, ReadFailure};

/// The port of the exporter when nothing says otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:9878";
/// A shorter token can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This host alone.
    Loopback,
    /// A private network.
    Private,
    /// Anybody, or nobody knows.
    Public,
}

/// How far an address reaches.
pub fn reach(ip: IpAddr) -> Reach {
    let (is_loopback, is_private) = match ip.to_canonical() {
        IpAddr::V4(ip) => (ip.is_loopback(), ip.is_private() || ip.is_link_local() || is_carrier(ip)),
        IpAddr::V6(ip) => (ip.is_loopback(), ip.is_unique_local() || ip.is_unicast_link_local()),
    };
    match (is_loopback, is_private) {
        (true, _) => Reach::Loopback,
        (false, true) => Reach::Private,
        (false, false) => Reach::Public,
    }
}

/// 100.64.0.0/10 (RFC 6598), which private overlay networks such as Tailscale use.
fn is_carrier(ip: Ipv4Addr) -> bool {
    ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 0x40
}

/// An address as written: `IP:PORT`, or `localhost:PORT`.
pub fn parse(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    let written =
        text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    written.parse().map_err(|_| format!("expected IP:PORT such as \"{DEFAULT_LISTEN}\" or \"[::1]:9878\""))
}

/// Refuses an address that may not be served like this.
pub fn check(address: SocketAddr, has_token: bool, is_insecure: bool) -> Result<(), CommandError> {
    match reach(address.ip()) {
        Reach::Loopback => Ok(()),
        Reach::Private if has_token || is_insecure => Ok(()),
        Reach::Private => Err(CommandError::usage(format!("{address} can be reached from other hosts"))
            .hint("give scrapers a token with --auth-file FILE, or say --insecure")),
        Reach::Public => Err(CommandError::usage(format!(
            "{address} is not an address of a private network"
        ))
        .hint("name one private address of this host: --listen 192.168.1.5:9878 --auth-file FILE")
        .hint("for a public endpoint let Prometheus scrape /metrics of the gateway, which is built for it")),
    }
}

/// Reads the token that scrapers must show.
pub fn token(path: &Path) -> Result<Secret, CommandError> {
    let shown = path.display();
    let content = files::read(path).map_err(|failure| match failure {
        ReadFailure::Absent => CommandError::io(format!("failed to read {shown}: no such file"))
            .hint(format!("make one: (umask 077; openssl rand -hex 32 > {shown})")),
        ReadFailure::Failed(reason) => CommandError::io(format!("failed to read {shown}: {reason}")),
    })?;
    let text = String::from_utf8(content.bytes).unwrap_or_default();
    let token = text.trim();
    if token.len() < SHORTEST_TOKEN || token.chars().any(|c| c.is_whitespace() || !c.is_ascii_graphic()) {
        return Err(CommandError::usage(format!(
            "{shown} must hold one token of at least {SHORTEST_TOKEN} printable characters"
        ))
        .hint(format!("make one: (umask 077; openssl rand -hex 32 > {shown})")));
    }
    Ok(Secret::new(token))
}

/// Whether an `Authorization` header shows the token. How much of it is right cannot be timed.
pub fn shows(header: Option<&str>, token: &Secret) -> bool {
    header.and_then(secret::bearer).is_some_and(|shown| token.is_shown_by(shown))
}

/// Where this host itself reaches a listener.
pub fn from_here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::{Reach, check, parse, reach, shows};
    use crate::core::secret::Secret;

    #[test]
    fn addresses_reach_as_far_as_they_do() {
        for (ip, expected) in [
            ("127.0.0.1", Reach::Loopback),
            ("127.8.9.1", Reach::Loopback),
            ("::1", Reach::Loopback),
            ("::ffff:127.0.0.1", Reach::Loopback),
            ("10.1.2.3", Reach::Private),
            ("192.168.0.7", Reach::Private),
            ("100.100.1.1", Reach::Private),
            ("fd00::1", Reach::Private),
            ("fe80::1", Reach::Private),
            ("0.0.0.0", Reach::Public),
            ("::", Reach::Public),
            ("100.128.0.1", Reach::Public),
            ("8.8.8.8", Reach::Public),
            ("2001:db8::1", Reach::Public),
        ] {
            assert_eq!(reach(ip.parse().unwrap()), expected, "{ip}");
        }
    }

    #[test]
    fn only_loopback_is_served_without_further_ado() {
        let address = |text: &str| parse(text).unwrap();
        assert!(check(address("localhost:1"), false, false).is_ok());
        assert!(check(address("10.0.0.1:1"), false, false).is_err());
        assert!(check(address("10.0.0.1:1"), true, false).is_ok());
        assert!(check(address("10.0.0.1:1"), false, true).is_ok());
        assert!(check(address("8.8.8.8:1"), true, true).is_err());
        assert!(parse("9878").is_err() && parse("example.com:1").is_err());
    }

    #[test]
    fn only_the_whole_token_is_shown() {
        let token = Secret::new("0123456789abcdef");
        for (header, expected) in [
            (Some("Bearer 0123456789abcdef"), true),
            (Some("bearer 0123456789abcdef"), true),
            (Some("Bearer 0123456789abcde"), false),
            (Some("Bearer 0123456789abcdef0"), false),
            (Some("Basic 0123456789abcdef"), false),
            (Some("Bearer"), false),
            (None, false),
        ] {
            assert_eq!(shows(header, &token), expected, "{header:?}");
        }
    }
}
