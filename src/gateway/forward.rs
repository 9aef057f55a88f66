//! One request: the credentials that may serve it, one after the other, until one does.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::clock::Stopwatch;
use crate::core::credential::EpochMs;
use crate::core::failure::FailureClass;
use crate::core::model_ref::ModelRef;
use crate::core::upstream::Surface;
use crate::format::gateway_request::Asked;
use crate::format::ops::Metered;
use crate::gateway::Gateway;
use crate::gateway::attempt::Tried;
use crate::gateway::metered;
use crate::gateway::numbers::Crossing;
use crate::gateway::pool::Permit;
use crate::gateway::record::Told;
use crate::gateway::reply::Refusal;
use crate::gateway::sessions::Visit;
use crate::gateway::view::{Candidate, View};

/// Tells the client that a key that is paid by use has served in the place of a subscription.
const METERED: HeaderName = HeaderName::from_static("x-openclaw-metered");

/// Answers a request.
pub(super) async fn answer(
    gateway: &Arc<Gateway>,
    surface: Surface,
    headers: &HeaderMap,
    (asked, body): (Asked, Bytes),
    (view, visit): (Arc<View>, Visit),
) -> Response<Body> {
    let mut forward =
        Forward { gateway, surface, headers, body, asked, view, visit, attempts: 0, told: None };
    let mut answer = forward.run().await.unwrap_or_else(|refusal| refusal.answer(surface));
    if let Some(told) = forward.told {
        answer.extensions_mut().insert(told);
    }
    answer
}

/// A request on its way.
pub(super) struct Forward<'g> {
    pub(super) gateway: &'g Arc<Gateway>,
    pub(super) surface: Surface,
    pub(super) headers: &'g HeaderMap,
    pub(super) body: Bytes,
    pub(super) asked: Asked,
    pub(super) view: Arc<View>,
    /// The session that it belongs to.
    pub(super) visit: Visit,
    /// How many providers were asked.
    pub(super) attempts: usize,
    /// What the log and the numbers get to know of the last candidate that was tried.
    told: Option<Told>,
}

/// A key that is paid by use may not serve in the place of a subscription.
struct Denied;

/// What has come of the candidates so far.
#[derive(Default)]
struct Way {
    /// The last failure.
    last: Option<(FailureClass, String, Option<i64>)>,
    /// Why models cannot be asked at all.
    unsuitable: Vec<String>,
    /// The credential that is tried again soonest.
    resting: Option<(EpochMs, String)>,
    /// The subscription that could not serve.
    subscription: Option<String>,
    /// Whether it has been told that a paid key could serve in its place.
    has_crossed: bool,
    /// The paid key that was not used because of it.
    denied: Option<String>,
}

impl Way {
    fn rests(&mut self, until: EpochMs, name: &str) {
        if self.resting.as_ref().is_none_or(|(known, _)| until < *known) {
            self.resting = Some((until, name.to_owned()));
        }
    }

    /// A candidate does not serve. Only the first subscription is remembered: it is the one that the user prefers.
    fn passes(&mut self, name: &str, is_subscription: bool) {
        if is_subscription && self.subscription.is_none() {
            self.subscription = Some(name.to_owned());
        }
    }
}

impl Forward<'_> {
    async fn run(&mut self) -> Result<Response<Body>, Refusal> {
        let (asked, chosen) = (self.asked.model.as_deref(), self.visit.session.chosen.as_ref());
        let models = self.view.models(asked, chosen).map_err(Refusal::bad_request)?;
        let models = self.visit.within_pin(&self.view, models);
        let mut way = Way::default();
        let mut unfit: Option<Refusal> = None;
        for model in &models {
            let now = self.now();
            let candidates = match self.view.candidates(model, self.surface, &self.gateway.pool, now) {
                Ok(candidates) => candidates,
                Err(why) => {
                    way.unsuitable.push(why);
                    Vec::new()
                }
            };
            let candidates = self.visit.arrange(&self.view, model, candidates, now)?;
            let numbers = self.gateway.numbers.provider(&model.provider);
            let resting = self.resting_subscriptions(&candidates, now);
            for candidate in candidates {
                let (name, is_subscription) = (candidate.name.clone(), metered::is_subscription(&candidate));
                let profile = candidate.holder.as_ref().map(|(holder, _)| holder.id.clone());
                let trial = match self.permit(&candidate) {
                    Permit::Open => None,
                    Permit::Trial(trial) => Some(trial),
                    Permit::Tried => {
                        way.rests(now + 1_000, &name);
                        way.passes(&name, is_subscription);
                        continue;
                    }
                    Permit::Resting(until) => {
                        way.rests(until, &name);
                        way.passes(&name, is_subscription);
                        continue;
                    }
                };
                let preferred = || self.view.preferred(&model.provider, &resting, &name).map(str::to_owned);
                let crossing =
                    if is_subscription { None } else { way.subscription.clone().or_else(preferred) };
                let crossed = match crossing {
                    None => None,
                    Some(from) => {
                        way.passes(&from, true);
                        let is_first = !std::mem::replace(&mut way.has_crossed, true);
                        let Ok(told) = self.cross(&from, &name, is_first) else {
                            way.denied.get_or_insert(name);
                            continue;
                        };
                        told
                    }
                };
                if let Some((class, ..)) = &way.last {
                    self.gateway.numbers.failed_over(*class);
                    if let Some(told) = &self.told {
                        self.gateway.desk.note_move(&told.profile, *class, &name, self.now());
                    }
                }
                let watch = Stopwatch::start();
                let tried = self.attempt(candidate, trial).await;
                numbers.upstream.observe(watch.elapsed());
                self.told = Some(Told {
                    provider: model.provider.clone(),
                    model: model.model.clone(),
                    profile: name.clone(),
                    attempts: self.attempts,
                    class: if let Tried::Failed(class, ..) = &tried { Some(*class) } else { None },
                });
                if matches!(tried, Tried::Answered(_)) {
                    self.visit.served(model, profile.as_deref(), self.now());
                }
                match tried {
                    Tried::Answered(mut answer) | Tried::TheRequest(mut answer) => {
                        if is_subscription {
                            self.gateway.crossings.served(&name);
                        }
                        if let Some(crossed) = crossed {
                            answer.headers_mut().insert(METERED, crossed);
                        }
                        return Ok(*answer);
                    }
                    // No credential changes what a model cannot be asked; another model may be asked it.
                    Tried::Unfit(refusal) => {
                        unfit.get_or_insert(refusal);
                        break;
                    }
                    Tried::Failed(class, message, retry_after) => {
                        numbers.failed(class);
                        way.passes(&name, is_subscription);
                        way.last = Some((class, message, retry_after));
                        // The model itself is not there: other credentials of its provider cannot help.
                        if class == FailureClass::NoModel {
                            break;
                        }
                    }
                }
            }
        }
        if let Some(refusal) = unfit.filter(|_| way.last.is_none()) {
            return Err(refusal);
        }
        Err(self.refusal(&models, way))
    }

    /// Those that are paid anyway and cannot serve now: a candidate that rests stands behind those that do not.
    fn resting_subscriptions(&self, candidates: &[Candidate], now: EpochMs) -> Vec<String> {
        let rests = |candidate: &&Candidate| {
            let holder = candidate.holder.as_ref();
            metered::is_subscription(candidate)
                && holder.is_some_and(|(holder, stored)| self.gateway.pool.rests(holder, stored, now))
        };
        candidates.iter().filter(rests).map(|candidate| candidate.name.clone()).collect()
    }

    /// What is paid by use is about to serve because a subscription does not: gives what the client is told of it.
    fn cross(&self, from: &str, to: &str, is_first: bool) -> Result<Option<HeaderValue>, Denied> {
        let crossing = match self.view.workspace.ops.gateway.metered {
            Metered::Allow => Crossing::Allowed,
            Metered::Notify => Crossing::Told,
            Metered::Deny => Crossing::Denied,
        };
        if is_first {
            self.gateway.numbers.crossed(crossing);
        }
        if crossing == Crossing::Told && self.gateway.crossings.is_news(from, to) {
            self.gateway.log(&format!(
                "{from} cannot serve now, and {to} is paid by use; gateway.metered of ops.json decides what happens then"
            ));
        }
        let told = HeaderValue::from_str(&format!("{from} -> {to}"));
        if crossing == Crossing::Denied { Err(Denied) } else { Ok(told.ok()) }
    }

    fn refusal(&mut self, models: &[ModelRef], way: Way) -> Refusal {
        let denied = way.denied.zip(way.subscription).map_or_else(String::new, |(key, subscription)| {
            format!(
                "; {key} was not used in the place of {subscription}: it is paid by use, and gateway.metered of ops.json \
                 is \"deny\"; \"notify\" there lets it serve"
            )
        });
        if let Some((class, message, retry_after)) = way.last {
            let remedy = class.remedy().map_or_else(String::new, |remedy| format!("; {remedy}"));
            let pinned = self.visit.pinned_failed(&self.view, &models[0]);
            let mut refusal =
                Refusal::of_class(class, format!("{message}: {}{remedy}{pinned}{denied}", class.entry().2));
            refusal.retry_after = retry_after.map(|ms| ms / 1000);
            return refusal;
        }
        if let Some((until, name)) = way.resting {
            let ModelRef { provider, model } = models[0].clone();
            let class = Some(FailureClass::RateLimited);
            self.told = Some(Told { provider, model, profile: name.clone(), attempts: 0, class });
            let seconds = (until - self.now()).max(0) / 1000;
            let pinned = self.visit.pinned_rests(&self.view, &models[0], &name, until, self.now());
            let message = pinned.unwrap_or_else(|| {
                format!(
                    "every credential for {} rests after failures; {name} is tried again in {seconds} s; \
                     `openclaw models auth unblock` lets one be used at once{denied}",
                    models[0].key()
                )
            });
            let mut refusal = Refusal::of_class(FailureClass::RateLimited, message);
            refusal.retry_after = Some(seconds);
            return refusal;
        }
        let message = format!(
            "{} cannot be asked on {}: {}",
            models[0].key(),
            self.surface.path(),
            way.unsuitable.join("; ")
        );
        Refusal::new(StatusCode::NOT_IMPLEMENTED, "not_supported_error", message)
    }

    fn permit(&self, candidate: &Candidate) -> Permit {
        match &candidate.holder {
            Some((holder, stored)) => self.gateway.pool.permit(holder, stored, self.now()),
            None => Permit::Open,
        }
    }

    /// The instant, by the gateway's clock.
    pub(super) fn now(&self) -> EpochMs {
        self.gateway.clock.now().timestamp_millis()
    }
}
