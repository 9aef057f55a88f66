//! `dashboard`: where the status page is, and a browser on it.

use std::time::Duration;

use serde_json::Value;

use crate::cli::Session;
use crate::core::endpoint;
use crate::core::secret::Secret;
use crate::exit::{CommandError, ExitStatus};
use crate::sys::http_client::{self, Request};

/// How long the gateway may take to answer.
const LIMIT: Duration = Duration::from_secs(5);

/// Prints the address of the page, or opens it signed in.
pub(super) fn run(session: &Session<'_>, open: bool) -> Result<ExitStatus, CommandError> {
    let process = session.printer.process();
    let workspace = session.workspace()?;
    let base = format!("http://127.0.0.1:{}", workspace.gateway_port(process));
    let mut url = endpoint::parse(&format!("{base}/api/ticket")).map_err(CommandError::usage)?;
    let mut request = Request::post(url.clone(), "application/json", Secret::new("{}"));
    if let Some(secret) = workspace.gateway_secret() {
        let bearer = Secret::new(format!("Bearer {}", secret.expose().trim()));
        request = request.header("authorization", bearer);
    }
    let answer = http_client::send(&request, LIMIT).map_err(|failure| {
        CommandError::refused(format!("no gateway answers: {failure}")).hint("`openclaw gateway` runs one")
    })?;
    let document: Value = serde_json::from_str(answer.body.expose()).unwrap_or_default();
    let Some(ticket) = document.get("ticket").filter(|_| answer.status == 200) else {
        return Err(CommandError::refused(format!(
            "what answers on {base} does not take the gateway's token (status {})",
            answer.status
        ))
        .hint("`openclaw doctor` compares the running gateway with this shell"));
    };
    if open {
        url.set_path("/login");
        match ticket.as_str() {
            Some(ticket) => url.set_query(Some(&format!("ticket={ticket}"))),
            None => url.set_path("/"),
        }
        if !process.has_browser() || open::that_detached(url.as_str()).is_err() {
            return Err(CommandError::refused("there is no browser here that could be opened")
                .hint(format!("open {base}/ in one, over `ssh -L` from another host")));
        }
    }
    Ok(session.printer.answer(&format!("{base}/\n")))
}
