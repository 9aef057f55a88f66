//! What a load says of the gateway: its port, and what opens its door.

use crate::core::secret::Secret;
use crate::process::{self, Process};
use crate::workspace::Workspace;

/// The port when nothing says otherwise (reference default).
pub const PORT: u16 = 18_789;
/// The same for the installation of `--dev`.
const DEV_PORT: u16 = 19_001;

impl Workspace {
    /// The gateway's port: that of the environment, else of the config.
    pub fn gateway_port(&self, process: &Process) -> u16 {
        let of_environment = process.var(&process::GATEWAY_PORT).and_then(|text| text.trim().parse().ok());
        let of_config = || self.config.gateway.port.and_then(|port| u16::try_from(port).ok());
        let default = if self.request.installation.dev { DEV_PORT } else { PORT };
        of_environment.or_else(of_config).unwrap_or(default)
    }

    /// The token or password of the gateway: that of the config, else of the environment.
    pub fn gateway_secret(&self) -> Option<&Secret> {
        let names = ["OPENCLAW_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_PASSWORD"];
        let of_environment =
            || names.iter().find_map(|name| self.environment.get(name)).map(|(_, secret)| secret);
        self.config.gateway.secret.as_ref().or_else(of_environment)
    }
}
