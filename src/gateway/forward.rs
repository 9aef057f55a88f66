//! One request: the credentials that may serve it, one after the other, until one does.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response, StatusCode};

use crate::core::credential::EpochMs;
use crate::core::failure::FailureClass;
use crate::core::model_ref::ModelRef;
use crate::core::upstream::Surface;
use crate::format::gateway_request::Asked;
use crate::gateway::Gateway;
use crate::gateway::attempt::Tried;
use crate::gateway::pool::Permit;
use crate::gateway::reply::Refusal;
use crate::gateway::view::{Candidate, View};

/// Answers a request.
pub(super) async fn answer(
    gateway: &Arc<Gateway>,
    surface: Surface,
    headers: &HeaderMap,
    body: Bytes,
) -> Response<Body> {
    match Forward::of(gateway, surface, headers, body) {
        Ok(forward) => forward.run().await.unwrap_or_else(|refusal| refusal.answer(surface)),
        Err(refusal) => refusal.answer(surface),
    }
}

/// A request on its way.
pub(super) struct Forward<'g> {
    pub(super) gateway: &'g Arc<Gateway>,
    pub(super) surface: Surface,
    pub(super) headers: &'g HeaderMap,
    pub(super) body: Bytes,
    pub(super) asked: Asked,
    pub(super) view: Arc<View>,
    /// How many providers were asked.
    pub(super) attempts: usize,
}

impl<'g> Forward<'g> {
    fn of(
        gateway: &'g Arc<Gateway>,
        surface: Surface,
        headers: &'g HeaderMap,
        body: Bytes,
    ) -> Result<Self, Refusal> {
        let asked = Asked::parse(&body).map_err(Refusal::bad_request)?;
        let view = gateway.view();
        Ok(Self { gateway, surface, headers, body, asked, view, attempts: 0 })
    }

    async fn run(mut self) -> Result<Response<Body>, Refusal> {
        let models = self.view.models(self.asked.model.as_deref()).map_err(Refusal::bad_request)?;
        let mut last: Option<(FailureClass, String, Option<i64>)> = None;
        let mut unsuitable = Vec::new();
        let mut resting: Option<(EpochMs, String)> = None;
        let mut unfit: Option<Refusal> = None;
        for model in &models {
            let now = self.now();
            let candidates = match self.view.candidates(model, self.surface, &self.gateway.pool, now) {
                Ok(candidates) => candidates,
                Err(why) => {
                    unsuitable.push(why);
                    continue;
                }
            };
            for candidate in candidates {
                let trial = match self.permit(&candidate) {
                    Permit::Open => None,
                    Permit::Trial(trial) => Some(trial),
                    Permit::Tried => {
                        let soon = (now + 1_000, candidate.name);
                        resting = Some(resting.map_or(soon.clone(), |known| known.min(soon)));
                        continue;
                    }
                    Permit::Resting(until) => {
                        let rests = (until, candidate.name);
                        resting = Some(resting.map_or(rests.clone(), |known| known.min(rests)));
                        continue;
                    }
                };
                match self.attempt(candidate, trial).await {
                    Tried::Answered(answer) | Tried::TheRequest(answer) => return Ok(*answer),
                    // No credential changes what a model cannot be asked; another model may be asked it.
                    Tried::Unfit(refusal) => {
                        unfit.get_or_insert(refusal);
                        break;
                    }
                    Tried::Failed(class, message, retry_after) => {
                        last = Some((class, message, retry_after));
                        // The model itself is not there: other credentials of its provider cannot help.
                        if class == FailureClass::NoModel {
                            break;
                        }
                    }
                }
            }
        }
        if let Some(refusal) = unfit.filter(|_| last.is_none()) {
            return Err(refusal);
        }
        Err(self.refusal(&models, last, resting, &unsuitable))
    }

    fn refusal(
        &self,
        models: &[ModelRef],
        last: Option<(FailureClass, String, Option<i64>)>,
        resting: Option<(EpochMs, String)>,
        unsuitable: &[String],
    ) -> Refusal {
        if let Some((class, message, retry_after)) = last {
            let remedy = class.remedy().map_or_else(String::new, |remedy| format!("; {remedy}"));
            let mut refusal = Refusal::of_class(class, format!("{message}: {}{remedy}", class.entry().2));
            refusal.retry_after = retry_after.map(|ms| ms / 1000);
            return refusal;
        }
        if let Some((until, name)) = resting {
            let seconds = (until - self.now()).max(0) / 1000;
            let message = format!(
                "every credential for {} rests after failures; {name} is tried again in {seconds} s; \
                 `openclaw models auth unblock` lets one be used at once",
                models[0].key()
            );
            let mut refusal = Refusal::of_class(FailureClass::RateLimited, message);
            refusal.retry_after = Some(seconds);
            return refusal;
        }
        let message = format!(
            "{} cannot be asked on {}: {}",
            models[0].key(),
            self.surface.path(),
            unsuitable.join("; ")
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
