//! What to type when a credential is missing or has ended.

use crate::core::credential::{CLAUDE_CLI_PROFILE, CODEX_CLI_PROFILE, Material, QWEN_CLI_PROFILE};
use crate::core::provider;
use crate::core::snapshot::{ProfileRecord, Snapshot};

/// Longer ids are cut where they stand in a sentence.
const LONGEST_ID: usize = 60;

/// The two shortest ways to get a credential for a provider.
pub fn get_credential(provider_id: &str, snapshot: &Snapshot) -> Vec<String> {
    let known = provider::find(provider_id);
    let dotenv = &snapshot.dotenv_path.short;
    let mut ways = Vec::new();
    if let Some(source) = snapshot.unreadable_store() {
        ways.push(format!("mend {} first: the credential may be in it", source.path.short));
    }
    match known.map(|provider| provider.id) {
        Some("amazon-bedrock") => ways.extend([
            format!("add `AWS_PROFILE=<name of a profile of the AWS CLI>` to {dotenv}"),
            format!("add `AWS_ACCESS_KEY_ID=<id>` and `AWS_SECRET_ACCESS_KEY=<key>` to {dotenv}"),
        ]),
        Some(provider::GOOGLE_VERTEX) => ways.push(format!(
            "`gcloud auth application-default login`, and GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION in {dotenv}"
        )),
        _ => {}
    }
    if let Some(command) = known.and_then(|provider| provider.login_command) {
        ways.push(format!("`{command}`; the login is found by itself"));
    }
    // The last variable is the plain API key; the ones before it are for tokens of other programs.
    match known.and_then(|provider| provider.env.last()) {
        Some(variable) => ways.push(format!("add `{variable}=<key>` to {dotenv}")),
        None if known.is_none() => ways
            .push(format!("set `models.providers.{provider_id}.apiKey` in {}", snapshot.config_path.short)),
        None => {}
    }
    if ways.len() < 2 {
        ways.push(format!(
            "choose a model of another provider in {} (agents.defaults.model.primary)",
            snapshot.config_path.short
        ));
    }
    ways.truncate(2);
    ways
}

/// What renews or replaces a profile that has ended or is hollow; `renews_itself` when a use of it is enough.
pub fn mend_profile(record: &ProfileRecord, renews_itself: bool) -> Vec<String> {
    let vendor = match record.id.as_str() {
        CLAUDE_CLI_PROFILE => Some(("claude", "claude auth login")),
        CODEX_CLI_PROFILE => Some(("codex", "codex login")),
        QWEN_CLI_PROFILE => Some(("qwen", "qwen")),
        _ => None,
    };
    if let Some((program, login)) = vendor {
        let login = format!("`{login}`; the next status run takes it over");
        return if renews_itself {
            vec![format!("use `{program}` once: it renews its own login"), login]
        } else {
            vec![login]
        };
    }
    let replace = |with: &str| {
        format!(
            "put {with} into profile {} of {}, or delete the profile",
            quoted(&record.id),
            record.store.short
        )
    };
    match &record.credential.material {
        Material::ApiKey { .. } => vec![replace("a key")],
        Material::Token { .. } if provider::normalize(&record.credential.provider) == "anthropic" => {
            vec![replace("the token that `claude setup-token` prints")]
        }
        Material::Token { .. } => vec![replace("a new token")],
        Material::OAuth { .. } if renews_itself => vec!["the gateway renews it at the next use".to_owned()],
        Material::OAuth { .. } => {
            let known = provider::find(&record.credential.provider);
            match known.and_then(|provider| provider.login_command) {
                Some(command) => vec![format!(
                    "`{command}` for a new login, then delete profile {} from {}",
                    quoted(&record.id),
                    record.store.short
                )],
                None => vec![replace("the tokens of a new login")],
            }
        }
    }
}

fn quoted(id: &str) -> String {
    let id: String = id.chars().take(LONGEST_ID).collect();
    format!("\"{}\"", id.replace('"', "\\\""))
}
