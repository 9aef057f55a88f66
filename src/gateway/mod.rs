//! `openclaw gateway`: serves models with the credentials of this host, and moves on when one of them fails.

mod access;
mod agents;
mod answer;
mod api;
mod attempt;
mod auth_line;
mod catalogue;
mod choice;
mod commands;
pub mod daemon;
mod dashboard;
mod forward;
pub mod log;
mod metered;
mod numbers;
mod operation;
mod pool;
mod record;
mod reply;
mod sessions;
mod tokens;
mod translated;
mod view;
mod way;

use std::sync::{Arc, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::core::credential::EpochMs;
use crate::core::secret::Secret;
use crate::core::upstream::Surface;
use crate::exit::CommandError;
use crate::process::Process;
use crate::refresh::{self, Outcome, Refresher};
use crate::sys::guests::Guests;
use crate::sys::http_client::Lasting;
use crate::sys::random;
use crate::workspace::Request;
use access::Door;
use agents::Agents;
use daemon::Settings;
use dashboard::Desk;
use log::{Level, Log};
use metered::Crossings;
use numbers::Numbers;
use operation::Scraper;
use pool::Pool;
use view::{Candidate, View};

/// The runtime.
pub struct Gateway {
    process: Process,
    clock: Clock,
    request: Request,
    view: ArcSwap<View>,
    door: ArcSwap<Door>,
    /// A token or password that the command line gave.
    given: Option<Secret>,
    pool: Pool,
    /// The agents beside the one of `view`, and the sessions of all.
    agents: Agents,
    upstream: Lasting,
    desk: Desk,
    reloading: std::sync::Mutex<()>,
    /// One refresh at a time: whoever waited finds the new tokens.
    renewing: Mutex<()>,
    /// What this run of the gateway is called in the ids of its requests.
    name: String,
    started: EpochMs,
    /// Whether others than programs of this host can reach it.
    is_open: bool,
    /// Why the host cannot be read as it is now, while what was read before serves on.
    trouble: ArcSwapOption<String>,
    /// Why what is known of the profiles is not saved.
    unsaved: ArcSwapOption<String>,
    log: Log,
    numbers: Arc<Numbers>,
    crossings: Crossings,
    guests: Arc<Guests>,
    scraper: Scraper,
}

impl Gateway {
    /// Loads the host. Refuses where it would be open to others without a token.
    pub fn load(
        process: &Process,
        clock: &Clock,
        request: Request,
        settings: &Settings,
    ) -> Result<Self, CommandError> {
        let view = View::load(process, clock, &request)?;
        let door = door(&view, settings.secret.as_ref());
        if settings.is_open() && door.secret.is_none() {
            return Err(CommandError::refused(format!(
                "refusing to listen on {} without a token or password: whoever reaches it would use your credentials",
                settings.bind
            ))
            .hint("set gateway.auth.token or OPENCLAW_GATEWAY_TOKEN, or pass --token @FILE")
            .hint("`openclaw doctor --generate-gateway-token` makes one"));
        }
        let agents = Agents::default();
        agents.sessions(&view);
        let upstream = Lasting::new()
            .map_err(|reason| CommandError::io(format!("failed to set up the HTTP client: {reason}")))?;
        let name = random::hex(4)
            .map_err(|error| CommandError::io(format!("the system has no random numbers: {error}")))?;
        let numbers = Arc::new(Numbers::default());
        let pool = Pool::default();
        pool.set_rests(&view.workspace.config.rests);
        Ok(Self {
            scraper: Scraper::start(process, clock, &request.installation, &view.workspace.ops.exporter),
            log: Log::new(process, clock, settings.log, Arc::clone(&numbers)),
            process: process.clone(),
            clock: clock.clone(),
            request,
            view: ArcSwap::from_pointee(view),
            door: ArcSwap::from_pointee(door),
            given: settings.secret.clone(),
            pool,
            agents,
            upstream,
            desk: Desk::new(process)
                .map_err(|error| CommandError::io(format!("no random numbers: {error}")))?,
            reloading: std::sync::Mutex::default(),
            renewing: Mutex::new(()),
            name: name.expose().to_owned(),
            started: clock.now().timestamp_millis(),
            is_open: settings.is_open(),
            trouble: ArcSwapOption::empty(),
            unsaved: ArcSwapOption::empty(),
            numbers,
            crossings: Crossings::default(),
            guests: Arc::default(),
        })
    }

    fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    fn door(&self) -> Arc<Door> {
        self.door.load_full()
    }

    fn now(&self) -> EpochMs {
        self.clock.now().timestamp_millis()
    }

    fn log(&self, line: &str) {
        self.log.say(Level::Warning, line);
    }

    /// How many of the configured models some credential could serve now.
    fn usable_models(&self) -> usize {
        let view = self.view();
        let now = self.clock.now().timestamp_millis();
        let models = view.models(None, None).unwrap_or_default();
        let is_usable = |model: &&crate::core::model_ref::ModelRef| {
            Surface::ALL.iter().any(|surface| {
                let candidates = view.candidates(model, *surface, &self.pool, now);
                candidates.is_ok_and(|all| {
                    all.iter().any(|candidate| {
                        let holder = candidate.holder.as_ref();
                        holder.is_none_or(|(holder, stored)| !self.pool.rests(holder, stored, now))
                    })
                })
            })
        };
        models.iter().filter(is_usable).count()
    }

    /// Reads the host again. What cannot be read now leaves everything as it was.
    fn reload(&self) {
        // Two at once would forget what only one of them has read.
        let _turn = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.pool.written();
        let loaded = View::load(&self.process, &self.clock, &self.request).and_then(|view| {
            let door = door(&view, self.given.as_ref());
            if self.is_open && door.secret.is_none() {
                let why = "the token is gone, and the gateway can be reached from beyond this host";
                return Err(CommandError::refused(why));
            }
            Ok((view, door))
        });
        match loaded {
            Ok((view, door)) => {
                self.pool.set_rests(&view.workspace.config.rests);
                self.door.store(Arc::new(door));
                self.view.store(Arc::new(view));
                self.agents.follow(&self.view(), &self.clock);
                self.agents.reload(&self.clock, |id| self.load_agent(id).ok());
                self.pool.forget(written);
                self.desk.tell_change();
                self.numbers.reload_applied.one();
                if self.trouble.swap(None).is_some() {
                    self.log.say(Level::Info, "the host can be read again; what is there now serves");
                }
            }
            Err(error) => {
                self.numbers.reload_refused.one();
                let is_known = self.trouble.load().as_ref().is_some_and(|known| **known == error.message());
                if !is_known {
                    self.log(&format!(
                        "the change was passed over, what was read before serves on: {}",
                        error.message()
                    ));
                    self.trouble.store(Some(Arc::new(error.message().to_owned())));
                }
            }
        }
    }

    /// Renews a login that is due, once for everybody who wants it, and gives the candidate with its new token.
    async fn renewed(self: &Arc<Self>, candidate: Candidate, agent: &str) -> Result<Candidate, String> {
        let _turn = self.renewing.lock().await;
        let (gateway, id, of) = (Arc::clone(self), candidate.name.clone(), agent.to_owned());
        let renewed = tokio::task::spawn_blocking(move || {
            // Whoever waited for the turn finds what the one before has got.
            gateway.reload();
            let view = gateway.view_now(&of);
            let outcome = Refresher {
                process: &gateway.process,
                workspace: &view.workspace,
                clock: &gateway.clock,
                limit: refresh::TIME_LIMIT,
                tell: &|message| gateway.log(message),
            }
            .refresh(&id, false);
            gateway.reload();
            outcome
        });
        let outcome = renewed.await.map_err(|_| "the refresh ended with an internal error".to_owned())?;
        match &outcome {
            Outcome::Adopted { .. } | Outcome::Fresh { .. } => {}
            Outcome::Renewed { .. } | Outcome::Parked { .. } => self.numbers.refresh_renewed.one(),
            _ => self.numbers.refresh_failed.one(),
        }
        let message = match outcome {
            Outcome::Adopted { .. }
            | Outcome::Fresh { .. }
            | Outcome::Renewed { .. }
            | Outcome::Parked { .. } => None,
            Outcome::Failed { message, .. } => Some(message),
            Outcome::Interrupted => Some("the gateway is about to end".to_owned()),
            Outcome::LeftToVendor(vendor, why) => Some(format!("{} renews it: {why}", vendor.program())),
            Outcome::Lost(reason) | Outcome::Unready(reason) | Outcome::Unsupported(reason) => Some(reason),
            Outcome::Resting(failure) => {
                Some(format!("its refresh failed before ({})", failure.class.word()))
            }
        };
        let view = self.view_now(agent);
        let secret = view.secret_of(&candidate.name);
        match (message, secret) {
            (None, Some(secret)) => Ok(Candidate { secret, is_due: false, ..candidate }),
            (None, None) => Err("is gone".to_owned()),
            // A login that is only about to end still serves.
            (Some(_), Some(secret)) if view.is_good(&candidate.name, &self.clock) => {
                Ok(Candidate { secret, is_due: false, ..candidate })
            }
            (Some(message), _) => Err(message),
        }
    }
}

fn door(view: &View, given: Option<&Secret>) -> Door {
    Door { secret: given.cloned().or_else(|| view.workspace.gateway_secret().cloned()) }
}
