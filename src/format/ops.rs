//! `ops.json`: the settings of this program that must not stand in `openclaw.json`.

use std::cell::RefCell;
use std::net::SocketAddr;

use url::Url;

use crate::core::endpoint;
use crate::core::provider::{self, PROVIDERS};
use crate::core::report::Refreshable;
use crate::format::config::{Node, Problem, Tree};
use crate::format::ops_monitor::{self, MonitorOps};
use crate::format::section::{Notes, Section};

/// Who renews the logins that a vendor's program owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExternalRefresh {
    /// This program does, under both locks, and writes back.
    #[default]
    Direct,
    /// The vendor's program does; its file is read again.
    Delegate,
    /// Nobody here: such a login is only reported.
    Never,
}

/// Every setting; absent keys are `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ops {
    /// `check.warnAfter` in ms.
    pub warn_after_ms: Option<i64>,
    /// `check.refreshable`.
    pub refreshable: Option<Refreshable>,
    /// `refresh.external`.
    pub external_refresh: ExternalRefresh,
    /// `exporter`.
    pub exporter: ExporterOps,
    /// `gateway`.
    pub gateway: GatewayOps,
    /// `monitor`.
    pub monitor: MonitorOps,
    /// `providers`, under their catalogue ids.
    pub providers: Vec<(String, ProviderOps)>,
}

/// The settings of the exporter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExporterOps {
    /// `exporter.listen`: where it serves.
    pub listen: Option<SocketAddr>,
    /// `exporter.agents`: whom it shows; empty for the default one.
    pub agents: Vec<String>,
    /// Whether `exporter.agents` is `"all"`.
    pub is_for_all_agents: bool,
    /// Whether `exporter.labels` is `full`.
    pub is_full: bool,
}

/// What happens when a subscription cannot serve a request and a paid key could.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metered {
    /// The key serves it.
    Allow,
    /// Nothing serves it.
    Deny,
    /// The key serves it, and that is told.
    #[default]
    Notify,
}

/// The settings of the gateway that the Node program does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatewayOps {
    /// `gateway.metered`.
    pub metered: Metered,
}

/// What stands in the place of the catalogue's endpoints and clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderOps {
    /// `authorizeUrl`: the page of a login.
    pub authorize_url: Option<Url>,
    /// `tokenUrl`: where logins are made and renewed.
    pub token_url: Option<Url>,
    /// `deviceUrl`: where the code of a device login comes from.
    pub device_url: Option<Url>,
    /// `usageUrl`: where usage windows are asked for.
    pub usage_url: Option<Url>,
    /// `probeUrl`: where a credential is tried.
    pub probe_url: Option<Url>,
    /// `clientId`: an OAuth client of the user's own.
    pub client_id: Option<String>,
    /// `clientSecretFile`: the file with its secret, as written.
    pub client_secret_file: Option<String>,
}

impl Ops {
    /// What is set for a provider.
    pub fn provider(&self, id: &str) -> ProviderOps {
        let id = provider::normalize(id);
        self.providers.iter().find(|(known, _)| *known == id).map(|(_, ops)| ops.clone()).unwrap_or_default()
    }
}

const PROVIDER_KEYS: &[&str] =
    &["authorizeUrl", "tokenUrl", "deviceUrl", "usageUrl", "probeUrl", "clientId", "clientSecretFile"];

/// Types the tree. Unknown keys are problems here: this file is ours alone.
pub fn read(tree: &Node) -> Result<Ops, Vec<Problem>> {
    let notes = RefCell::new(Notes::default());
    let root = Section::root(tree, &notes);
    root.closed(&["check", "exporter", "gateway", "monitor", "providers", "refresh"]);
    let check = root.section("check");
    check.closed(&["warnAfter", "refreshable"]);
    let refresh = root.section("refresh");
    refresh.closed(&["external"]);
    let ops = Ops {
        warn_after_ms: check.text("warnAfter").and_then(|text| {
            parse_span(text).map_or_else(|message| check.wrong("warnAfter", &message), Some)
        }),
        refreshable: check.one_of("refreshable", &["strict", "lenient"]).map(|word| match word {
            "lenient" => Refreshable::Lenient,
            _ => Refreshable::Strict,
        }),
        external_refresh: match refresh.one_of("external", &["direct", "delegate", "never"]) {
            Some("delegate") => ExternalRefresh::Delegate,
            Some("never") => ExternalRefresh::Never,
            _ => ExternalRefresh::Direct,
        },
        exporter: exporter(&root.section("exporter")),
        gateway: gateway(&root.section("gateway")),
        monitor: ops_monitor::read(&root.section("monitor")),
        providers: providers(&root.section("providers")),
    };
    let mut notes = notes.into_inner();
    notes.problems.append(&mut notes.unknown);
    if notes.problems.is_empty() { Ok(ops) } else { Err(notes.problems) }
}

fn exporter(section: &Section<'_>) -> ExporterOps {
    section.closed(&["agents", "labels", "listen"]);
    let listen = section.text("listen").and_then(|text| {
        let address = text.trim().parse().ok();
        address.or_else(|| section.wrong("listen", "expected IP:PORT such as \"127.0.0.1:9878\""))
    });
    let is_word = section.node("agents").is_some_and(|node| matches!(node.value, Tree::Text(_)));
    ExporterOps {
        listen,
        is_for_all_agents: is_word && section.one_of("agents", &["all"]).is_some(),
        agents: if is_word { Vec::new() } else { section.texts("agents") },
        is_full: section.one_of("labels", &["minimal", "full"]) == Some("full"),
    }
}

fn gateway(section: &Section<'_>) -> GatewayOps {
    section.closed(&["metered"]);
    let metered = match section.one_of("metered", &["allow", "notify", "deny"]) {
        Some("allow") => Metered::Allow,
        Some("deny") => Metered::Deny,
        _ => Metered::Notify,
    };
    GatewayOps { metered }
}

fn providers(section: &Section<'_>) -> Vec<(String, ProviderOps)> {
    let spellings = PROVIDERS.iter().flat_map(|known| std::iter::once(&known.id).chain(known.aliases));
    section.closed(&spellings.copied().collect::<Vec<_>>());
    let entries = section.sections().into_iter().map(|(id, entry)| {
        entry.closed(PROVIDER_KEYS);
        let url = |key: &str| {
            let text = entry.text(key)?;
            endpoint::parse(text).map_or_else(|message| entry.wrong(key, message), Some)
        };
        let text = |key: &str| {
            let text = entry.has(key).then(|| entry.required_text(key)).flatten();
            text.map(str::to_owned)
        };
        let ops = ProviderOps {
            authorize_url: url("authorizeUrl"),
            token_url: url("tokenUrl"),
            device_url: url("deviceUrl"),
            usage_url: url("usageUrl"),
            probe_url: url("probeUrl"),
            client_id: text("clientId"),
            client_secret_file: text("clientSecretFile"),
        };
        (provider::normalize(id), ops)
    });
    entries.collect()
}

/// A span such as `24h` or `1h 30m` in ms.
pub fn parse_span(text: &str) -> Result<i64, String> {
    let span = humantime::parse_duration(text.trim())
        .map_err(|_| "expected a span such as \"24h\" or \"90m\"".to_owned())?;
    i64::try_from(span.as_millis()).map_err(|_| "the span is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{ExternalRefresh, Metered, Ops, read};
    use crate::core::report::Refreshable;
    use crate::format::config::parse;

    fn ops(text: &str) -> Result<Ops, Vec<String>> {
        read(&parse(text.as_bytes(), 0).unwrap()).map_err(|problems| {
            problems.into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
        })
    }

    #[test]
    fn every_key_is_optional() {
        assert_eq!(ops("{}").unwrap(), Ops::default());
        let all =
            ops("{check:{warnAfter:'1h 30m',refreshable:'lenient'},refresh:{external:'never'},gateway:{metered:'deny'}}")
                .unwrap();
        assert_eq!(all.gateway.metered, Metered::Deny);
        assert_eq!(all.warn_after_ms, Some(5_400_000));
        assert_eq!(all.refreshable, Some(Refreshable::Lenient));
        assert_eq!(all.external_refresh, ExternalRefresh::Never);
        let own = ops("{providers:{qwen:{tokenUrl:'http://127.0.0.1:1/t'},google:{clientId:'me'}}}").unwrap();
        assert_eq!(own.provider("qwen-portal").token_url.unwrap().as_str(), "http://127.0.0.1:1/t");
        assert_eq!(own.provider("google").client_id.as_deref(), Some("me"));
        assert_eq!(own.provider("openai"), super::ProviderOps::default());
    }

    #[test]
    fn unknown_keys_and_bad_values_are_errors() {
        assert_eq!(
            ops("{check:{warnafter:'1h',refreshable:'x'},chek:{},refresh:{external:5}}").unwrap_err(),
            [
                "check.refreshable: expected one of \"strict\", \"lenient\"",
                "refresh.external: expected string, got number",
                "chek: unknown key; did you mean \"check\"?",
                "check.warnafter: unknown key; did you mean \"warnAfter\"?",
            ]
        );
        assert_eq!(
            ops("{providers:{antropic:{},Qwen:{tokenurl:'x'},openai:{probeUrl:'http://api.openai.com',clientId:''}}}")
                .unwrap_err(),
            [
                "providers.openai.probeUrl: plain http is for loopback and private addresses only; write https",
                "providers.openai.clientId: must not be empty",
                "providers.antropic: unknown key; did you mean \"anthropic\"?",
                "providers.Qwen: unknown key; did you mean \"qwen\"?",
                "providers.Qwen.tokenurl: unknown key; did you mean \"tokenUrl\"?",
            ]
        );
        assert_eq!(
            ops("{check:{warnAfter:'soon'}}").unwrap_err(),
            ["check.warnAfter: expected a span such as \"24h\" or \"90m\""]
        );
    }
}
