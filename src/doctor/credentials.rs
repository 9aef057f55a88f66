//! The state of every credential, as the status sees it, and entries of the config that miss their profile.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::core::credential::{CLAUDE_CLI_PROFILE, Material};
use crate::core::diagnosis;
use crate::core::finding::{Code, Finding};
use crate::core::provider;
use crate::core::repair::{self, Repair, StoredLogin};
use crate::doctor::fix::{Consent, Fix, Step};
use crate::doctor::{Check, Found, Host};
use crate::format::config_sections::AuthProfile;

pub(super) const CHECK: Check = Check {
    name: "credentials",
    codes: &[
        Code::ClockImplausible,
        Code::ConfigInvalid,
        Code::ConfigUnknownKey,
        Code::CredentialCooldown,
        Code::CredentialDamaged,
        Code::CredentialDisabled,
        Code::CredentialExpired,
        Code::CredentialExpiring,
        Code::CredentialTypeUnknown,
        Code::CredentialUnusable,
        Code::DotenvIgnored,
        Code::DotenvMalformed,
        Code::ExpiresImplausible,
        Code::ExpiresUnreadable,
        Code::LoginEndsSoon,
        Code::LoginIncomplete,
        Code::LooksLikeSeconds,
        Code::ModeMigrated,
        Code::ModelWithoutProvider,
        Code::OpsInvalid,
        Code::ProfileDuplicate,
        Code::ProfileIdOutdated,
        Code::ProviderMissing,
        Code::RefreshFailed,
        Code::RefreshNotSaved,
        Code::RefreshUnsupported,
        Code::ShellEnvFailed,
        Code::SourceUnreadable,
        Code::StateUnreadable,
        Code::SyncNotSaved,
        Code::SyncPerformed,
    ],
    mends: &[Code::ModeMigrated, Code::ProfileIdOutdated],
    is_deep: false,
    run,
};

fn run(host: &Host) -> Vec<Found> {
    let mut found: Vec<Found> = diagnosis::of_report(&host.report)
        .into_iter()
        // The state folder's name is the business of another check, which can mend it.
        .filter(|finding| finding.code != Code::LegacyStateDir)
        .map(|finding| match finding.code {
            Code::ModeMigrated => migrated(finding),
            _ => finding.into(),
        })
        .collect();
    found.extend(outdated_ids(host));
    found
}

fn migrated(finding: Finding) -> Found {
    let key = ["auth", "profiles", CLAUDE_CLI_PROFILE, "mode"].map(str::to_owned).to_vec();
    let step = Step::ConfigSet { key, value: Value::from("oauth") };
    let fix = Fix::new("writes the mode \"oauth\" into the config", Consent::Safe, vec![step]);
    Found::fixed_by(finding, fix)
}

/// `auth.profiles` entries named `<provider>:default` whose login is in the store under another id.
fn outdated_ids(host: &Host) -> Vec<Found> {
    let store = host.workspace.own_store();
    let declared = &host.workspace.config.auth_profiles;
    let providers: BTreeSet<&str> = declared
        .iter()
        .filter(|(id, profile)| profile.mode == "oauth" && *id == format!("{}:default", profile.provider))
        .map(|(_, profile)| profile.provider.as_str())
        .collect();
    let repairs = providers.into_iter().filter_map(|provider_id| {
        let logins: Vec<_> = host
            .snapshot
            .profiles
            .iter()
            .filter(|record| {
                matches!(record.credential.material, Material::OAuth { .. })
                    && provider::normalize(&record.credential.provider) == provider::normalize(provider_id)
            })
            .map(|record| StoredLogin { id: record.id.clone(), email: record.credential.email.clone() })
            .collect();
        let (_, entry) = declared.iter().find(|(id, _)| *id == format!("{provider_id}:default"))?;
        let last_good = store.last_good(provider_id);
        repair::of_default(provider_id, entry.email.as_deref(), &logins, last_good.as_deref())
    });
    repairs.map(|repair| outdated(host, declared, repair)).collect()
}

fn outdated(host: &Host, declared: &[(String, AuthProfile)], repair: Repair) -> Found {
    let config = &host.report.config_path.short;
    let Repair { from, to, email } = repair;
    let key = |id: &str| vec!["auth".to_owned(), "profiles".to_owned(), id.to_owned()];
    let finding = Finding::new(
        Code::ProfileIdOutdated,
        format!("auth.profiles.{from}"),
        format!("the store has no such login; the one that must be meant is {to}"),
    );
    if declared.iter().any(|(id, _)| *id == to) {
        return finding
            .remedy(format!("take auth.profiles.{from} out of {config}: {to} stands there too"))
            .into();
    }
    let mut steps = vec![Step::ConfigRename { from: key(&from), to: key(&to) }];
    if let Some(email) = email {
        let mut place = key(&to);
        place.push("email".to_owned());
        steps.push(Step::ConfigSet { key: place, value: Value::from(email) });
    }
    for (provider_id, order) in &host.workspace.config.auth_order {
        if order.contains(&from) {
            let renamed = order.iter().map(|id| if *id == from { &to } else { id }.clone());
            steps.push(Step::ConfigSet {
                key: vec!["auth".to_owned(), "order".to_owned(), provider_id.clone()],
                value: renamed.collect::<Vec<_>>().into(),
            });
        }
    }
    let finding = finding.remedy(format!("`openclaw doctor --fix`, or write {to} there in {config}"));
    Found::fixed_by(finding, Fix::new(format!("renames the entry to {to}"), Consent::Safe, steps))
}
