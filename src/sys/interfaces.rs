//! The addresses of this host.

use std::net::{IpAddr, Ipv4Addr, TcpListener};

use nix::ifaddrs::getifaddrs;

/// The address of this host in its tailnet, when it has one: Tailscale gives out 100.64.0.0/10 (RFC 6598).
pub fn tailnet() -> Option<Ipv4Addr> {
    let addresses = getifaddrs().ok()?.filter_map(|interface| {
        let address = interface.address?;
        Some(address.as_sockaddr_in()?.ip())
    });
    addresses.into_iter().find(|ip| ip.octets()[0] == 100 && (64..128).contains(&ip.octets()[1]))
}

/// Whether this host can listen on an address.
pub fn is_own(ip: IpAddr) -> bool {
    TcpListener::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{is_own, tailnet};

    #[test]
    fn addresses_of_others_are_none_of_ours() {
        assert!(is_own("127.0.0.1".parse().unwrap()) && !is_own("192.0.2.1".parse().unwrap()));
        assert!(tailnet().is_none_or(|ip| is_own(ip.into())));
    }
}
