//! What only Chromium's driver can do: scripts before load, and the network log.

use fantoccini::wd::WebDriverCompatibleCommand;
use http::Method;
use serde_json::{Value, json};

use super::Visitor;
use crate::browser::Engine;

/// A command of Chromium's own, under the session's address.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base_url: &url::Url, session_id: Option<&str>) -> Result<url::Url, url::ParseError> {
        base_url.join(&format!("session/{}/{}", session_id.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _request_url: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

impl Visitor {
    /// Runs `script` in every later document before the document's own scripts.
    ///
    /// # Panics
    /// On another engine than Chromium.
    pub async fn run_before_load(&self, script: &str) {
        self.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": script })).await;
    }

    /// How many permissions pages asked this browser for; with a window each is a prompt.
    pub async fn permissions_requested(&self) -> u64 {
        let found = self.devtools("Browser.getHistograms", &json!({ "query": "ContentSettings.PermissionRequested" })).await;
        found["histograms"].as_array().map_or(0, |all| all.iter().filter_map(|histogram| histogram["count"].as_u64()).sum())
    }

    /// Sends one command of the Chrome `DevTools` protocol.
    ///
    /// # Panics
    /// On another engine than Chromium, or when the browser refuses.
    pub async fn devtools(&self, command: &str, parameters: &Value) -> Value {
        assert_eq!(self.engine, Engine::Chromium, "only Chromium has this protocol");
        let body = json!({ "cmd": command, "params": parameters });
        self.command(command, self.client.issue_cmd(Vendor { path: "goog/cdp/execute", body })).await
    }

    /// Answers the network log holds since the last call.
    ///
    /// # Panics
    /// When the visitor was not started with `records_network`.
    pub async fn answers(&self) -> Vec<Heard> {
        self.log("performance").await.iter().filter_map(heard).collect()
    }

    /// What the console has shown since the last call.
    ///
    /// # Panics
    /// When the visitor was not started with `records_console`.
    pub async fn console(&self) -> Vec<String> {
        self.log("browser").await.iter().filter_map(|entry| entry["message"].as_str().map(str::to_owned)).collect()
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.command("log", self.client.issue_cmd(Vendor { path: "se/log", body: json!({ "type": kind }) })).await;
        log.as_array().cloned().unwrap_or_default()
    }
}

/// One answer of the network log.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Where it came from.
    pub url: String,
    /// `Document`, `Script`, `Fetch`, …
    pub kind: String,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Whether a service worker gave it.
    pub is_from_worker: bool,
}

impl Heard {
    /// A header, empty when it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

fn heard(entry: &Value) -> Option<Heard> {
    let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
    let event = &message["message"];
    if event["method"] != "Network.responseReceived" {
        return None;
    }
    let answer = &event["params"]["response"];
    Some(Heard {
        url: answer["url"].as_str()?.to_owned(),
        kind: event["params"]["type"].as_str()?.to_owned(),
        headers: answer["headers"]
            .as_object()?
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap_or_default().to_owned()))
            .collect(),
        is_from_worker: answer["fromServiceWorker"].as_bool().unwrap_or(false),
    })
}
