//! What to type when a credential is missing or has ended.

use crate::core::credential::Material;
use crate::core::login::Vendor;
use crate::core::oauth;
use crate::core::provider;
use crate::core::report::Status;
use crate::core::snapshot::{FilePath, ProfileRecord, Snapshot};

/// Longer ids are not repeated in a command.
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
pub fn mend_profile(
    record: &ProfileRecord,
    status: Status,
    renews_itself: bool,
    snapshot: &Snapshot,
) -> Vec<String> {
    let ours = if record.inherited { &snapshot.main_program } else { &snapshot.program };
    let id = shell_word(&record.id);
    let remove = format!("`{ours} models auth remove {id}`");
    let refresh = match status {
        // Only what has ended, or is about to, is renewed unasked.
        Status::Expiring => {
            format!("`{ours} models auth refresh {id} --force`, or wait: it is renewed when it is due")
        }
        _ => format!("`{ours} models auth refresh {id}`"),
    };
    if let Some(vendor) = Vendor::of_profile(&record.id) {
        let (program, login) = (vendor.program(), vendor.login_command());
        let login = format!("`{login}`; the next status run takes it over");
        return if status == Status::Missing {
            // A sync leaves an entry alone that says no expiry: it has to go before the login can come in.
            vec![format!("{remove}; the next status run takes the login of {program} in its place"), login]
        } else if renews_itself {
            let once = format!("use `{}` once: it renews its own login", vendor.renew_command()[0]);
            let other = if record.login.renewed_by_vendor { once } else { login };
            vec![refresh, other]
        } else {
            vec![login]
        };
    }
    let provider = provider::normalize(&record.credential.provider);
    match &record.credential.material {
        Material::ApiKey { .. } => {
            let put = format!("put a key into profile {id} of {}", record.store.short);
            vec![put, format!("{remove} if it is not needed")]
        }
        Material::Token { .. } => {
            let source = if provider == "anthropic" { ", with a token of `claude setup-token`" } else { "" };
            let provider = shell_word(&provider);
            let paste = format!("{ours} models auth paste-token --provider {provider} --profile-id {id}");
            vec![format!("`{paste}`{source}"), format!("{remove} if it is not needed")]
        }
        Material::OAuth { .. } if renews_itself => vec![refresh],
        Material::OAuth { .. } if oauth::find(&provider).is_some_and(|oauth| oauth.login.is_some()) => {
            vec![format!("`{ours} models auth login --provider {provider} --profile-id {id}`")]
        }
        Material::OAuth { .. } => {
            let command = provider::find(&provider).and_then(|provider| provider.login_command);
            let login = command.map(|command| format!("`{command}` for a new login, then {remove}"));
            vec![login.unwrap_or_else(|| format!("{remove}, and log in again where it came from"))]
        }
    }
}

/// A word for a shell, quoted where it must be. What nobody could type is named by what it is.
pub fn shell_word(text: &str) -> String {
    if text.chars().count() > LONGEST_ID || text.chars().any(char::is_control) {
        return "PROFILE".to_owned();
    }
    quoted(text)
}

/// A path for a shell: with `~` where that needs no quotes.
pub fn shell_path(path: &FilePath) -> String {
    match path.short.strip_prefix("~/") {
        Some(rest) if quoted(rest) == rest => path.short.clone(),
        _ => quoted(&path.full),
    }
}

fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.:/@%+=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::{shell_path, shell_word};
    use crate::core::snapshot::FilePath;

    #[test]
    fn paths_keep_their_tilde_where_a_shell_expands_it() {
        let shown = |full: &str, short: &str| {
            shell_path(&FilePath { full: full.to_owned(), short: short.to_owned() })
        };
        assert_eq!(shown("/home/me/.env", "~/.env"), "~/.env");
        assert_eq!(shown("/home/me/my files/.env", "~/my files/.env"), "'/home/me/my files/.env'");
        assert_eq!(shown("/etc/x", "/etc/x"), "/etc/x");
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(shell_word("anthropic:me@x.com"), "anthropic:me@x.com");
        assert_eq!(shell_word("it's a \"name\" $(rm)"), r#"'it'\''s a "name" $(rm)'"#);
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word(&"n".repeat(61)), "PROFILE");
        assert_eq!(shell_word("a\u{1b}b"), "PROFILE");
    }
}
