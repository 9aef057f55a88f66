//! The one line for scripts.

use crate::core::report::Report;
use crate::render::printable;

/// The default model, `provider/model`.
pub fn render(report: &Report) -> String {
    format!("{}\n", printable(&report.resolved_default))
}
