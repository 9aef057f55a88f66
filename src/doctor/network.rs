//! Whether the providers in use can be reached, and what time it is there. Nothing secret is sent.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use chrono::DateTime;

use crate::core::credential::Material;
use crate::core::endpoint;
use crate::core::finding::{Code, Finding};
use crate::core::probe;
use crate::core::provider;
use crate::core::span;
use crate::doctor::{Check, Found, Host};
use crate::sys::http_client::{self, Failure, Request};

pub(super) const CHECK: Check = Check {
    name: "network",
    codes: &[Code::ClockSkewed, Code::ProviderUnreachable],
    mends: &[],
    is_deep: true,
    run,
};

/// A clock that is this far off, in ms, judges a token with a life of minutes wrongly. RFC 7519 speaks of "a few
/// minutes" of leeway; a minute leaves room for slow answers.
const SKEW: i64 = 60_000;

fn run(host: &Host) -> Vec<Found> {
    let limit = host.limit.mul_f64(0.8);
    let asked = providers(host);
    let answers = thread::scope(|scope| {
        let running: Vec<_> =
            asked.into_iter().map(|(id, base)| scope.spawn(move || ask(host, &id, &base, limit))).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).collect::<Vec<_>>()
    });
    let mut found: Vec<Found> = Vec::new();
    let mut skewed = false;
    for answer in answers {
        match answer {
            Answered::Nothing(finding) => found.push(finding.into()),
            // One wrong clock is one finding.
            Answered::At(host_name, theirs, ours) if (theirs - ours).abs() > SKEW && !skewed => {
                skewed = true;
                let how = if theirs > ours { "behind" } else { "ahead of" };
                let span = span::two_units((theirs - ours).abs());
                let message = format!("is {span} {how} that of {host_name}");
                let finding = Finding::new(Code::ClockSkewed, "clock", message);
                found.push(finding.remedy("`timedatectl set-ntp true`, or set the time with `date`").into());
            }
            Answered::At(..) | Answered::NoDate => {}
        }
    }
    found
}

enum Answered {
    /// The host, its time and ours, ms since the epoch.
    At(String, i64, i64),
    NoDate,
    Nothing(Finding),
}

fn ask(host: &Host, id: &str, base: &str, limit: Duration) -> Answered {
    let unreachable = |message: String| {
        Finding::new(Code::ProviderUnreachable, id, message).remedy(
            "look at the network, the proxy variables and the name server: `curl -v` to the same host",
        )
    };
    let url = match endpoint::parse(base) {
        Ok(url) => url,
        Err(why) => return Answered::Nothing(unreachable(format!("models.providers.{id}.baseUrl: {why}"))),
    };
    let name = http_client::host_of(&url);
    match http_client::send(&Request::get(url), limit) {
        // Whatever it says, it is there.
        Ok(answer) => {
            let ours = host.clock.now().timestamp_millis();
            let date = answer.headers.iter().find(|(name, _)| name == "date").map(|(_, value)| value);
            let theirs = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
            theirs.map_or(Answered::NoDate, |theirs| Answered::At(name, theirs.timestamp_millis(), ours))
        }
        Err(Failure::Redirected(..) | Failure::TooLarge(..)) => Answered::NoDate,
        Err(failure) => Answered::Nothing(unreachable(failure.to_string())),
    }
}

/// The providers with a credential, and the base of their API.
fn providers(host: &Host) -> Vec<(String, String)> {
    let with_credential = host.report.providers.iter().filter(|provider| provider.has_credential());
    let ids: BTreeSet<String> = with_credential.map(|entry| provider::normalize(&entry.id)).collect();
    let base = |id: &str| {
        let cheap = probe::of(id, &Material::ApiKey { key: None }).map(|cheap| cheap.base);
        let shipped = cheap.or_else(|| probe::model_api(id).map(|(base, _)| base)).map(str::to_owned);
        host.workspace.base_url(id).or(shipped)
    };
    ids.into_iter().filter_map(|id| base(&id).map(|base| (id, base))).collect()
}
