//! Logins of which more than one place believes that it may renew them.

use std::collections::BTreeMap;

use crate::core::finding::{Code, Finding};
use crate::core::login::VendorLogin;
use crate::doctor::{Check, Found, Host};
use crate::sys::files;
use crate::workspace::agents;
use crate::workspace::store::{CredentialStore, STORE_FILE, StoreState};

pub(super) const CHECK: Check = Check {
    name: "logins in several places",
    codes: &[Code::SharedLineage, Code::StoreSuperseded],
    mends: &[],
    is_deep: false,
    run,
};

/// Databases that releases after 2026.1 keep credentials in, below the state folder and below an agent's.
const STATE_DATABASE: &str = "state/openclaw.sqlite";
const AGENT_DATABASE: &str = "openclaw-agent.sqlite";

fn run(host: &Host) -> Vec<Found> {
    let mut found = shared(host);
    found.extend(superseded(host));
    found
}

/// Refresh tokens that stand in more than one store, or in more than one profile.
fn shared(host: &Host) -> Vec<Found> {
    let reader = host.reader();
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut seen: Vec<CredentialStore> = Vec::new();
    for store in stores(host) {
        // Two names of one file are one store.
        if seen.iter().any(|known| known.is_same(&store)) {
            continue;
        }
        if let StoreState::Read(read) = store.read(&reader, &host.clock) {
            let path = host.shown(store.path()).short;
            for (id, credential) in &read.profiles {
                if let Some(token) = credential.material.refresh_token().filter(|token| !token.is_blank()) {
                    places.entry(token.fingerprint(&host.salt)).or_default().push(format!("{id} in {path}"));
                }
            }
        }
        seen.push(store);
    }
    for login in &host.workspace.logins {
        let VendorLogin::Present { material, .. } = &login.login else { continue };
        let Some(token) = material.refresh_token() else { continue };
        let mirror = format!("{} in ", login.vendor.profile_id());
        let known = places.get_mut(&token.fingerprint(&host.salt));
        // The profile that mirrors the login is kept in step with it; another one is not.
        if let Some(known) = known.filter(|known| known.iter().any(|place| !place.starts_with(&mirror))) {
            known.push(format!("{} in {}", login.vendor.program(), login.source.path.short));
        }
    }
    let shared = places.into_iter().filter(|(_, places)| places.len() > 1);
    shared
        .map(|(print, places)| {
            let message = format!("the same login ({print}) is {}", places.join(" and "));
            let subject = places[0].split(" in ").next().unwrap_or_default().to_owned();
            Finding::new(Code::SharedLineage, subject, message)
                .remedy("log in once for each, or remove all but one: `openclaw models auth remove PROFILE`")
                .into()
        })
        .collect()
}

/// The stores of every agent, and those of other installations in the same home.
fn stores(host: &Host) -> Vec<CredentialStore> {
    let workspace = &host.workspace;
    let mut dirs = vec![workspace.agent.dir.clone()];
    dirs.extend(agents::folders(&workspace.config, &workspace.paths, &host.reader()));
    let home = workspace.paths.in_home("");
    let siblings = home.and_then(|home| fs_err::read_dir(home).ok()).into_iter().flatten().flatten();
    for entry in siblings {
        let name = entry.file_name().to_string_lossy().into_owned();
        if [".openclaw", ".clawdbot", ".moltbot"].iter().any(|prefix| name.starts_with(prefix)) {
            let agents = fs_err::read_dir(entry.path().join("agents")).into_iter().flatten().flatten();
            dirs.extend(agents.map(|agent| agent.path().join("agent")));
        }
    }
    dirs.sort();
    dirs.dedup();
    dirs.iter().filter(|dir| dir.join(STORE_FILE).exists()).map(|dir| CredentialStore::in_dir(dir)).collect()
}

fn superseded(host: &Host) -> Vec<Found> {
    let state = host.workspace.paths.state_dir.join(STATE_DATABASE);
    let agent = host.workspace.agent.dir.join(AGENT_DATABASE);
    let is_database = |path: &std::path::PathBuf| {
        files::read(path).is_ok_and(|content| content.bytes.starts_with(b"SQLite format 3\0"))
            || fs_err::metadata(path).is_ok_and(|metadata| metadata.len() > files::MAX_BYTES)
    };
    [state, agent]
        .into_iter()
        .filter(is_database)
        .map(|path| {
            let shown = host.shown(&path).short;
            let store = &host.report.store_path.short;
            let message = format!("a newer release keeps its credentials in it; {store} may be out of date");
            Finding::new(Code::StoreSuperseded, shown, message)
                .remedy("ask that release itself: its `models status` reads the database")
                .into()
        })
        .collect()
}
