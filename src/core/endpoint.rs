//! Addresses that a credential may be sent to.

use url::{Host, Url};

/// Checks the address of an endpoint: https, or plain http where nobody but this network listens.
pub fn parse(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text.trim()).map_err(|_| "expected a URL such as \"https://host/path\"")?;
    match url.scheme() {
        "https" if url.has_host() => {}
        "http" if is_near(&url) => {}
        "http" => return Err("plain http is for loopback and private addresses only; write https"),
        _ => return Err("expected a URL that begins with https://"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL must not hold a user name or password");
    }
    Ok(url)
}

/// Whether nobody but this machine and its network is on the way to a host.
pub fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn plain_http_is_for_near_hosts_only() {
        for good in [
            "https://auth.openai.com/oauth/token",
            "http://127.0.0.1:8080/t",
            "http://localhost/t",
            "http://192.168.1.4/t",
            "http://[::1]/t",
            "http://[fd00::1]/t",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://example.com/t",
            "http://8.8.8.8/t",
            "http://localhost.example.com/t",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
            "auth.openai.com/oauth/token",
            "https://me:pw@host/t",
            "",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
