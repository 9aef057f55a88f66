//! Whether the gateway can ask the models that are in use.

use crate::core::finding::{Code, Finding};
use crate::core::model_ref;
use crate::core::upstream::Surface;
use crate::doctor::{Check, Found, Host};

pub(super) const CHECK: Check = Check {
    name: "models of the gateway",
    codes: &[Code::GatewayApiUnsupported],
    mends: &[],
    is_deep: false,
    run,
};

fn run(host: &Host) -> Vec<Found> {
    let settings = &host.snapshot.models;
    let written = settings.primary.iter().chain(&settings.fallbacks);
    let models = written.filter_map(|text| model_ref::resolve(text, &settings.aliases).model());
    models
        .filter_map(|model| {
            let why = host.workspace.route(&model, Surface::ChatCompletions).err()?;
            let finding = Finding::new(Code::GatewayApiUnsupported, model.key(), why);
            Some(finding.remedy("`openclaw models set` chooses a model that the gateway can ask").into())
        })
        .collect()
}
