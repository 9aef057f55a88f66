//! People at the status page: who is signed in, one-time tickets, and how often somebody may try.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::core::credential::EpochMs;
use crate::core::secret::Secret;
use crate::core::span::{HOUR, MINUTE, SECOND};
use crate::sys::random;

/// How long somebody stays signed in.
pub(super) const STAY: i64 = 12 * HOUR;
/// How long a ticket may be used.
const TICKET: i64 = 30 * SECOND;
/// So many may be signed in; then the oldest is signed out.
const MOST: usize = 64;
/// So many wrong tokens are heard within a minute; then nobody is let in until it is over.
const MOST_TRIES: usize = 10;
/// The length of what is made up here, in bytes: it cannot be guessed.
const LENGTH: usize = 32;

/// Everybody who is signed in to one gateway.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Visitors(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    visits: Vec<Visit>,
    tickets: Vec<Ticket>,
    /// When wrong tokens came.
    refused: Vec<EpochMs>,
}

/// One browser that is signed in.
#[derive(Debug)]
struct Visit {
    cookie: [u8; 32],
    csrf: Secret,
    since: EpochMs,
    /// The token that opened the door: another one ends the visit.
    door: [u8; 32],
}

#[derive(Debug)]
struct Ticket {
    digest: [u8; 32],
    since: EpochMs,
    door: [u8; 32],
}

impl Visitors {
    /// Lets somebody in who has shown the token, and gives the value of the cookie.
    pub(super) fn admit(&self, door: &Secret, now: EpochMs) -> std::io::Result<Secret> {
        let (cookie, csrf) = (random::hex(LENGTH)?, random::hex(LENGTH)?);
        let mut inner = self.inner(now);
        if inner.visits.len() >= MOST {
            inner.visits.remove(0);
        }
        inner.visits.push(Visit { cookie: cookie.sha256(), csrf, since: now, door: door.sha256() });
        Ok(cookie)
    }

    /// The proof that goes with the cookie of a request, when it is one of ours.
    pub(super) fn csrf(&self, headers: &HeaderMap, door: &Secret, now: EpochMs) -> Option<Secret> {
        let cookie = digest(cookie(headers)?);
        let inner = self.inner(now);
        let visit = inner.visits.iter().find(|visit| is_same(&visit.cookie, &cookie))?;
        is_same(&visit.door, &door.sha256()).then(|| visit.csrf.clone())
    }

    /// Signs somebody out.
    pub(super) fn leave(&self, headers: &HeaderMap, now: EpochMs) {
        if let Some(cookie) = cookie(headers).map(digest) {
            self.inner(now).visits.retain(|visit| !is_same(&visit.cookie, &cookie));
        }
    }

    /// A ticket for somebody who has shown the token elsewhere: it signs in once.
    pub(super) fn ticket(&self, door: &Secret, now: EpochMs) -> std::io::Result<Secret> {
        let ticket = random::hex(LENGTH)?;
        let mut inner = self.inner(now);
        if inner.tickets.len() >= MOST {
            inner.tickets.remove(0);
        }
        inner.tickets.push(Ticket { digest: ticket.sha256(), since: now, door: door.sha256() });
        Ok(ticket)
    }

    /// Whether a ticket is good; it is not any more afterwards.
    pub(super) fn takes(&self, ticket: &str, door: &Secret, now: EpochMs) -> bool {
        let wanted = digest(ticket);
        let mut inner = self.inner(now);
        let Some(at) = inner.tickets.iter().position(|ticket| is_same(&ticket.digest, &wanted)) else {
            return false;
        };
        let ticket = inner.tickets.remove(at);
        is_same(&ticket.door, &door.sha256())
    }

    /// How long nobody may try, in s, after too many wrong tokens.
    pub(super) fn closed_for(&self, now: EpochMs) -> Option<i64> {
        let inner = self.inner(now);
        let oldest = inner.refused.len().checked_sub(MOST_TRIES).and_then(|at| inner.refused.get(at))?;
        Some((oldest + MINUTE - now).max(SECOND) / SECOND)
    }

    /// Remembers a wrong token.
    pub(super) fn refuse(&self, now: EpochMs) {
        self.inner(now).refused.push(now);
    }

    /// What counts at an instant. What is of the future was noted by a clock that was wrong.
    fn inner(&self, now: EpochMs) -> MutexGuard<'_, Inner> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_within = |since: EpochMs, span: i64| (0..span).contains(&(now - since));
        inner.visits.retain(|visit| is_within(visit.since, STAY));
        inner.tickets.retain(|ticket| is_within(ticket.since, TICKET));
        inner.refused.retain(|at| is_within(*at, MINUTE));
        inner
    }
}

/// The name of the cookie. Cookies know no ports, and a host may have several gateways.
pub(super) fn cookie_name(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let port = host.rsplit_once(':').map_or("", |(_, port)| port);
    match port.parse::<u16>() {
        Ok(port) => format!("openclaw-{port}"),
        Err(_) => "openclaw".to_owned(),
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let name = cookie_name(headers);
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(known, value)| (known == name).then_some(value))
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.ct_eq(other).into()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{MOST, MOST_TRIES, STAY, TICKET, Visitors};
    use crate::core::secret::Secret;

    fn with_cookie(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:18789"));
        let text = format!("a=b; openclaw-18789={value}; openclaw-1=x");
        headers.insert(header::COOKIE, HeaderValue::from_str(&text).unwrap());
        headers
    }

    #[test]
    fn a_visit_ends_by_itself_by_leaving_and_with_the_token() {
        let (visitors, door) = (Visitors::default(), Secret::new("token"));
        let cookie = visitors.admit(&door, 0).unwrap();
        let headers = with_cookie(cookie.expose());
        assert!(visitors.csrf(&headers, &door, 1).is_some());
        assert!(visitors.csrf(&headers, &Secret::new("another"), 1).is_none());
        assert!(visitors.csrf(&with_cookie("wrong"), &door, 1).is_none());
        assert!(visitors.csrf(&HeaderMap::new(), &door, 1).is_none());
        assert!(visitors.csrf(&headers, &door, STAY - 1).is_some());
        assert!(visitors.csrf(&headers, &door, STAY).is_none());
        let headers = with_cookie(visitors.admit(&door, 0).unwrap().expose());
        visitors.leave(&headers, 1);
        assert!(visitors.csrf(&headers, &door, 1).is_none());
        let first = with_cookie(visitors.admit(&door, 0).unwrap().expose());
        for _ in 0..MOST {
            visitors.admit(&door, 1).unwrap();
        }
        assert!(visitors.csrf(&first, &door, 2).is_none());
    }

    #[test]
    fn a_ticket_is_good_once_and_not_for_long() {
        let (visitors, door) = (Visitors::default(), Secret::new("token"));
        let ticket = visitors.ticket(&door, 0).unwrap();
        assert!(!visitors.takes("wrong", &door, 1));
        assert!(visitors.takes(ticket.expose(), &door, 1));
        assert!(!visitors.takes(ticket.expose(), &door, 1));
        let late = visitors.ticket(&door, 0).unwrap();
        assert!(!visitors.takes(late.expose(), &door, TICKET));
        let old = visitors.ticket(&door, 0).unwrap();
        assert!(!visitors.takes(old.expose(), &Secret::new("another"), 1));
    }

    #[test]
    fn who_guesses_is_kept_out_for_a_while() {
        let visitors = Visitors::default();
        for at in 0..MOST_TRIES {
            assert_eq!(visitors.closed_for(1_000), None);
            visitors.refuse(i64::try_from(at).unwrap());
        }
        assert_eq!(visitors.closed_for(1_000), Some(59));
        assert_eq!(visitors.closed_for(60_000), None);
    }
}
