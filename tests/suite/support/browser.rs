//! A real browser without a screen, driven over W3C's `WebDriver` protocol.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use openclaw::clock::{Clock, Deadline};
use serde_json::{Value, json};

/// How long the page may take until something is as it should be.
const PATIENCE: Duration = Duration::from_secs(30);
/// The key under which `WebDriver` names elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _home: tempfile::TempDir,
}

impl Browser {
    /// A browser with an empty page, or why there is none.
    pub(crate) fn start() -> Result<Self, String> {
        let home = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .args(["--port=0"])
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // The browser belongs to the driver's group: neither outlives a test that fails.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("chromedriver: {error}"))?;
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let told = "started successfully on port ";
        let port = lines.find_map(|line| {
            let line = line.ok()?;
            line.split(told).nth(1)?.trim_end_matches('.').parse().ok()
        });
        let mut browser = Self {
            driver,
            port: port.ok_or("chromedriver did not start")?,
            session: String::new(),
            _home: home,
        };
        let options = json!({"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-proxy-server", "--hide-scrollbars"]});
        let wanted = json!({"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}});
        let answer = browser.ask("POST", "/session", Some(&wanted));
        let session = answer["sessionId"].as_str().ok_or_else(|| format!("no session: {answer}"))?;
        browser.session = format!("/session/{session}");
        Ok(browser)
    }

    pub(crate) fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// What a script gives back.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// What a script gives to its callback, the last of its arguments.
    pub(crate) fn run_async(&self, script: &str) -> Value {
        self.post("/execute/async", &json!({"script": script, "args": []}))
    }

    /// Waits until an expression is true.
    pub(crate) fn wait(&self, expression: &str) {
        let limit = Deadline::after(PATIENCE);
        while self.run(&format!("return Boolean({expression})")) != json!(true) {
            if limit.has_passed() {
                let page = self.run("return document.body.innerText");
                panic!("never came true: {expression}\n{}", page.as_str().unwrap_or_default());
            }
            Clock::System.sleep(Duration::from_millis(50));
        }
    }

    /// Types into an element as a person does.
    pub(crate) fn type_into(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.post(&format!("/element/{element}/value"), &json!({ "text": text }));
    }

    pub(crate) fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.post(&format!("/element/{element}/click"), &json!({}));
    }

    /// The size of the window and the colours that the person wants.
    pub(crate) fn looks(&self, width: u32, height: u32, is_dark: bool) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.tell_devtools("Emulation.setDeviceMetricsOverride", &size);
        let scheme = if is_dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.tell_devtools("Emulation.setEmulatedMedia", &media);
    }

    /// A PNG of what is in the window.
    pub(crate) fn picture(&self) -> Vec<u8> {
        let picture = self.ask("GET", &format!("{}/screenshot", self.session), None);
        STANDARD.decode(picture.as_str().unwrap()).unwrap()
    }

    pub(crate) fn tell_devtools(&self, command: &str, parameters: &Value) {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}));
    }

    fn element(&self, selector: &str) -> String {
        let found = self.post("/element", &json!({"using": "css selector", "value": selector}));
        found[ELEMENT].as_str().unwrap_or_else(|| panic!("no {selector}")).to_owned()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", &format!("{}{path}", self.session), Some(body))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let body = body.map_or_else(String::new, Value::to_string);
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).unwrap();
        // The driver keeps the connection open, whatever it is told.
        let mut answer = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            head += &line;
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body).unwrap();
        let document: Value = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {head}"));
        assert!(head.starts_with("HTTP/1.1 200"), "{method} {path}: {}", document["value"]);
        document["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = Pid::from_raw(i32::try_from(self.driver.id()).unwrap());
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.driver.wait();
    }
}
