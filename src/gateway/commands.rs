//! Commands that come as a message: answered here, in the words of the client's API, and never sent to a model.

use std::fmt::Write;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::Value;

use crate::core::chat_command::{self, Command, Page, Wanted, short};
use crate::core::credential::EpochMs;
use crate::core::model_match::Choice;
use crate::core::model_ref::ModelRef;
use crate::core::provider;
use crate::core::session::Session;
use crate::core::upstream::Surface;
use crate::format::chat_answer::ChatAnswer;
use crate::format::gateway_request::Asked;
use crate::format::sessions::Changed;
use crate::gateway::Gateway;
use crate::gateway::choice::when;
use crate::gateway::reply::{self, Refusal};
use crate::gateway::sessions::Visit;
use crate::gateway::view::View;
use crate::sys::random;

/// The header with which a client says that its messages are never commands, and its value.
const OFF: (&str, &str) = ("x-openclaw-commands", "off");
/// Lines of the short list.
const SHORT_LIST: usize = 20;

/// Answers a request whose last message is a command; `None` when it is a text for a model.
pub(super) fn answer(
    gateway: &Arc<Gateway>,
    surface: Surface,
    headers: &HeaderMap,
    (asked, body): (&Asked, &Bytes),
    (view, visit): (&View, &Visit),
) -> Option<Response<Body>> {
    let is_off =
        headers.get(OFF.0).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(OFF.1.as_bytes()));
    let message = asked.command.as_deref().filter(|_| !is_off && surface != Surface::CountTokens)?;
    let parsed = chat_command::parse(message, |text| view.is_alias(text))?;
    let now = gateway.clock.now().timestamp_millis();
    let seat = Seat { gateway, view, visit, now };
    let mut answer = match parsed.and_then(|command| seat.run(&command)) {
        Ok(text) => said(surface, asked, body, &text, now),
        Err(text) => Refusal::new(StatusCode::BAD_REQUEST, "invalid_request_error", text).answer(surface),
    };
    answer.headers_mut().insert("x-openclaw-command", HeaderValue::from_static("answered"));
    answer.headers_mut().insert("x-openclaw-attempts", HeaderValue::from(0));
    Some(answer)
}

fn said(surface: Surface, asked: &Asked, body: &[u8], text: &str, now: EpochMs) -> Response<Body> {
    let id = random::hex(12).map_or_else(|_| now.to_string(), |id| id.expose().to_owned());
    let model = asked.model.as_deref().unwrap_or("openclaw");
    let answer = ChatAnswer { surface, id: &id, created: now / 1000, model, text };
    if !asked.is_streamed {
        return reply::json_answer(StatusCode::OK, &answer.whole());
    }
    let options = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let wants_usage = options.pointer("/stream_options/include_usage") == Some(&Value::Bool(true));
    let mut stream = Response::new(Body::from(answer.stream(wants_usage)));
    for (name, value) in
        [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")]
    {
        stream.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    stream
}

/// Where a command is carried out.
struct Seat<'s> {
    gateway: &'s Arc<Gateway>,
    view: &'s View,
    visit: &'s Visit,
    now: EpochMs,
}

impl Seat<'_> {
    fn run(&self, command: &Command) -> Result<String, String> {
        match command {
            Command::Choose(wanted) => self.choose(wanted),
            Command::Default => {
                let default = self.view.default_model().ok_or("no model is configured")?;
                Ok(self.set(&default, None, &default.key()))
            }
            Command::List(wanted) => self.list(wanted.as_ref()),
            Command::ModelStatus => Ok(self.model_status()),
            Command::New(None) => Ok(self.renew()),
            Command::New(Some(wanted)) => {
                // Nothing is forgotten for a model that is not there.
                let chosen = self.choose(wanted)?;
                self.renew();
                Ok(format!("New session. {chosen}"))
            }
            Command::Pick(number) => self.pick(*number),
            Command::Short => Ok(self.short_list()),
            Command::Status => Ok(self.status()),
        }
    }

    fn current(&self) -> Option<ModelRef> {
        self.visit.session.chosen.clone().or_else(|| self.view.default_model())
    }

    fn choose(&self, wanted: &Wanted) -> Result<String, String> {
        let (model, profile) = self.view.meant(wanted)?;
        if let Some(profile) = &profile {
            self.check(profile, &model)?;
        }
        let typed = wanted.readings().into_iter().map(|(text, _)| text);
        let mut aliases = typed.filter(|text| self.view.is_alias(text));
        let shown =
            aliases.next().map_or_else(|| model.key(), |alias| format!("{} ({})", short(alias), model.key()));
        Ok(self.set(&model, profile.as_deref(), &shown))
    }

    /// Whether a profile can be pinned for a model.
    fn check(&self, profile: &str, model: &ModelRef) -> Result<(), String> {
        let shown = short(profile);
        let why = self.view.unusable(profile, self.now);
        let owner = self.view.provider_of(profile);
        match why {
            Some("not found") => {
                let profiles = self.view.snapshot.profiles.iter();
                let fitting = profiles
                    .filter(|record| provider::normalize(&record.credential.provider) == model.provider);
                let fitting: Vec<_> = fitting.map(|record| short(&record.id)).collect();
                let there = if fitting.is_empty() { "none".to_owned() } else { fitting.join(", ") };
                Err(format!("Auth profile \"{shown}\" not found. Profiles of {}: {there}.", model.provider))
            }
            _ if owner != model.provider => {
                Err(format!("Auth profile \"{shown}\" is for {owner}, not {}.", model.provider))
            }
            Some(why) => Err(format!(
                "Auth profile \"{shown}\" cannot be used: {why}. `{} models status` tells more.",
                self.view.snapshot.program
            )),
            None => Ok(()),
        }
    }

    fn set(&self, model: &ModelRef, profile: Option<&str>, shown: &str) -> String {
        let is_default = self.view.default_model().as_ref() == Some(model);
        let pinned = profile.map(str::to_owned);
        let session = self.change(false, |session| {
            session.chosen = (!is_default).then(|| model.clone());
            session.pinned = pinned;
            session.kept.clear();
        });
        let mut text = if is_default {
            format!("Model reset to default ({shown}).")
        } else {
            format!("Model set to {shown}.")
        };
        if let Some(profile) = profile {
            let _ = write!(text, " Auth profile set to {}.", short(profile));
            if let Some(until) = self.rests(profile) {
                let _ = write!(text, " It rests after a failure until {}.", when(until, self.now));
            }
        } else if self.visit.session.pinned.is_some() && session.pinned.is_none() {
            text.push_str(" No auth profile is pinned any more.");
        }
        if self.view.choices(true).iter().all(|choice| choice.model != *model) {
            text.push_str(" It is in no list here: the provider says whether it exists.");
        }
        if !self.view.has_credential(&model.provider) {
            let program = &self.view.snapshot.program;
            let _ = write!(
                text,
                " There is no credential for {}; `{program} models auth add` adds one.",
                model.provider
            );
        }
        text
    }

    /// Until when a profile rests.
    fn rests(&self, profile: &str) -> Option<EpochMs> {
        let (_, stats) = self.view.usage(&self.gateway.pool).into_iter().find(|(id, _)| id == profile)?;
        stats.cooldown_until.max(stats.disabled_until).filter(|until| *until > self.now)
    }

    fn pick(&self, number: usize) -> Result<String, String> {
        let choices = self.short_choices();
        let place = number.checked_sub(1).and_then(|place| choices.get(place));
        let Some(choice) = place else {
            return Err(format!(
                "There is no model {number} in the list; /model shows 1 to {}.",
                choices.len()
            ));
        };
        Ok(self.set(&choice.model, None, &choice.model.key()))
    }

    /// The current model, then those of providers that can be asked.
    fn short_choices(&self) -> Vec<Choice> {
        let current = self.current();
        let mut choices = self.view.choices(true);
        choices.retain(|choice| choice.has_credential || Some(&choice.model) == current.as_ref());
        if let Some(current) = current.filter(|current| choices.iter().all(|choice| choice.model != *current))
        {
            let has_credential = self.view.has_credential(&current.provider);
            choices.push(Choice { model: current, aliases: vec![], has_credential, is_default: false });
        }
        let current = self.current();
        choices.sort_by_key(|choice| Some(&choice.model) != current.as_ref());
        choices.truncate(SHORT_LIST);
        choices
    }

    fn short_list(&self) -> String {
        let current = self.current();
        let mut text = match &current {
            Some(model) => format!("Current: {}\n", model.key()),
            None => "Current: none\n".to_owned(),
        };
        if let Some(pinned) = &self.visit.session.pinned {
            let _ = writeln!(text, "Auth profile: {} (pinned)", short(pinned));
        }
        text.push('\n');
        for (place, choice) in self.short_choices().iter().enumerate() {
            let _ = write!(text, "{}. {}", place + 1, choice.model.key());
            if !choice.aliases.is_empty() {
                let _ = write!(text, " ({})", choice.aliases.join(", "));
            }
            let notes: Vec<_> = [
                (Some(&choice.model) == current.as_ref()).then_some("current"),
                choice.is_default.then_some("default"),
                (!choice.has_credential).then_some("no credential"),
            ]
            .into_iter()
            .flatten()
            .collect();
            if !notes.is_empty() {
                let _ = write!(text, " - {}", notes.join(", "));
            }
            text.push('\n');
        }
        text.push_str("\nSwitch: /model <number> or /model <provider/model>[@<profile>]\n");
        text.push_str("Browse: /models\nMore: /model status");
        text
    }

    fn list(&self, wanted: Option<&(String, Page)>) -> Result<String, String> {
        let choices = self.view.choices(true);
        let mut providers: Vec<_> = choices.iter().map(|choice| choice.model.provider.as_str()).collect();
        providers.dedup();
        let of = |provider: &str| {
            choices.iter().filter(|choice| choice.model.provider == provider).collect::<Vec<_>>()
        };
        let Some((wanted, page)) = wanted else {
            let lines = providers.iter().map(|provider| format!("- {provider} ({})\n", of(provider).len()));
            let lines: String = lines.collect();
            return Ok(format!(
                "Providers:\n{lines}\nUse: /models <provider> [page]\nSwitch: /model <provider/model>"
            ));
        };
        let id = provider::normalize(wanted);
        let models = of(&id);
        if models.is_empty() {
            return Err(format!(
                "Unknown provider \"{}\". There are: {}.",
                short(wanted),
                providers.join(", ")
            ));
        }
        let Page { number, size } = *page;
        let pages = models.len().div_ceil(size);
        let Some(shown) = models.chunks(size).nth(number - 1) else {
            return Err(format!("Page out of range: {number}; there are 1 to {pages}."));
        };
        let first = (number - 1) * size + 1;
        let lines: String =
            shown.iter().flat_map(|choice| ["- ".to_owned(), choice.model.key(), "\n".to_owned()]).collect();
        let more =
            if number < pages { format!("More: /models {id} {}\n", number + 1) } else { String::new() };
        Ok(format!(
            "Models ({id}) — showing {first}-{} of {} (page {number}/{pages})\n{lines}\n\
             Switch: /model <provider/model>\n{more}All: /models {id} all",
            first + shown.len() - 1,
            models.len()
        ))
    }

    fn renew(&self) -> String {
        let now = self.now;
        let session = self.change(true, |session| session.renew(now));
        let model = session
            .chosen
            .or_else(|| self.view.default_model())
            .map_or_else(String::new, |model| model.key());
        let pinned = session
            .pinned
            .map_or_else(String::new, |pinned| format!(", auth profile {} (pinned)", short(&pinned)));
        format!(
            "New session. Model {model}{pinned}. The gateway keeps no messages: what your client sends is what the model sees."
        )
    }

    fn change(&self, is_new: bool, edit: impl FnOnce(&mut Session)) -> Session {
        let now = self.now;
        self.visit.sessions.change(&self.visit.key, Changed { choice: true, is_new }, |session| {
            edit(session);
            session.updated = now;
        })
    }

    fn status(&self) -> String {
        let session = &self.visit.session;
        let default = self.view.default_model().map_or_else(|| "none".to_owned(), |model| model.key());
        let mut text =
            format!("Session: {}\nAgent: {}\n", short(&self.visit.key), self.view.workspace.agent.id);
        match self.current() {
            Some(model) => {
                let note = if session.chosen.is_some() {
                    format!("chosen here; default {default}")
                } else {
                    "default".to_owned()
                };
                let _ = writeln!(text, "Model: {} ({note})", model.key());
                let _ = writeln!(
                    text,
                    "Auth: {}",
                    self.view.auth_line(&model.provider, self.visit, &self.gateway.pool, self.now)
                );
            }
            None => text.push_str("Model: none\n"),
        }
        if let Some(last) = &session.last {
            let ago = crate::core::span::two_units((self.now - session.updated).max(0));
            let _ = writeln!(text, "Last answer: {} ({ago} ago)", last.key());
        }
        if let Some(problem) = self.visit.sessions.problem() {
            let _ = writeln!(text, "Sessions are kept in memory alone: {problem}");
        }
        text.trim_end().to_owned()
    }

    fn model_status(&self) -> String {
        let key = |model: Option<ModelRef>| model.map_or_else(|| "none".to_owned(), |model| model.key());
        let snapshot = &self.view.snapshot;
        let mut text = format!(
            "Current: {}\nDefault: {}\nAgent: {}\nAuth file: {}\n",
            key(self.current()),
            key(self.view.default_model()),
            snapshot.agent_id,
            snapshot.store_path.short
        );
        let mut choices = self.view.choices(true);
        let current = self.current().filter(|current| choices.iter().all(|choice| choice.model != *current));
        choices.extend(current.map(|model| Choice {
            model,
            aliases: vec![],
            has_credential: false,
            is_default: false,
        }));
        choices.sort_by_key(|choice| choice.model.key());
        let mut shown = "";
        for choice in &choices {
            let provider = choice.model.provider.as_str();
            if provider != shown {
                let auth = self.view.auth_line(provider, self.visit, &self.gateway.pool, self.now);
                let _ = write!(text, "\n[{provider}] {} auth: {auth}\n", self.view.endpoint_line(provider));
                shown = provider;
            }
            let _ = write!(text, "  • {}", choice.model.key());
            if !choice.aliases.is_empty() {
                let _ = write!(text, " ({})", choice.aliases.join(", "));
            }
            text.push('\n');
        }
        text.trim_end().to_owned()
    }
}
