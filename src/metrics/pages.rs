//! What the exporter says beside the metrics.

/// The page at `/`. It shows nothing of the host.
pub(super) fn index() -> String {
    format!(
        "<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\n\
         <title>openclaw exporter</title>\n\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:3em auto;padding:0 1em}}</style>\n\
         <h1>openclaw exporter {}</h1>\n<p>When the model credentials of this host end, for Prometheus.\n<ul>\n\
         <li><a href=/metrics>/metrics</a> the metrics\n\
         <li><a href=/healthz>/healthz</a> whether the exporter lives\n\
         <li><a href=/readyz>/readyz</a> whether it has a fresh report\n</ul>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// One answer.
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
    pub(super) headers: Vec<(&'static str, &'static str)>,
}

impl Page {
    pub(super) fn text(status: u16, text: &str) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            body: format!("{text}\n").into_bytes(),
            headers: Vec::new(),
        }
    }

    pub(super) fn file(content_type: &'static str, text: &str) -> Self {
        Self { status: 200, content_type, body: text.as_bytes().to_vec(), headers: Vec::new() }
    }

    pub(super) fn html(text: String) -> Self {
        Self {
            status: 200,
            content_type: "text/html; charset=utf-8",
            body: text.into_bytes(),
            headers: Vec::new(),
        }
    }

    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}
