//! The three engines, and how a fresh browser of each is asked for.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::firefox::profile;

/// Whose browser a visitor uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Chromium, headless.
    Chromium,
    /// Firefox, headless.
    Firefox,
    /// WebKitGTK's MiniBrowser, on a virtual display.
    WebKit,
}

/// Every journey uses fresh profiles, no GPU and nothing that talks to the browser's maker.
pub const CHROMIUM_FLAGS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    // Before anybody types an address, half of a start's CPU time goes into what would open below it.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup",
];

/// What Chromium with a window calls itself. Headless it adds a word that marks crawlers, and is rightly answered as one.
pub const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";

/// What a visitor's browser is started with besides the engine's own flags.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// Sent instead of the engine's own `User-Agent`; Chromium and Firefox only.
    pub user_agent: Option<String>,
    /// Run in every document before its own scripts; Chromium only.
    pub script_before_load: Option<String>,
    /// Keep the network log that [`crate::visitor::Visitor::answers`] reads; Chromium only.
    pub records_network: bool,
    /// Keep what the console shows, which [`crate::visitor::Visitor::console`] reads; Chromium only.
    pub records_console: bool,
    /// The browser keeps nothing for any site: no cookies, no workers, no storage; Chromium and Firefox only.
    pub blocks_cookies: bool,
    /// [`crate::visitor::Visitor::open`] returns when the driver says that the page has loaded, as drivers do unless told otherwise.
    pub waits_for_load: bool,
    /// Where it saves what is downloaded, without asking; Firefox only.
    pub downloads: Option<PathBuf>,
    /// A command and its arguments under which the driver, and so its browser, is started.
    pub under: &'static [&'static str],
    /// More flags for the command line; Chromium only.
    pub flags: Vec<String>,
    /// A certificate that is trusted; Chromium and Firefox, which then trusts any.
    pub trusts: Option<PathBuf>,
    /// A host that counts as a secure context though it is reached by HTTP; Chromium and Firefox only.
    pub secure_host: Option<String>,
    /// Where its files go instead of the system's temporary folder.
    pub folder: Option<PathBuf>,
}

impl Engine {
    /// WebDriver capabilities of a fresh browser whose files stay in `folder`.
    ///
    /// # Panics
    /// When WebKitGTK's MiniBrowser is not installed.
    #[must_use]
    pub fn capabilities(self, folder: &Path, setting: &Setting) -> serde_json::Map<String, Value> {
        let own = match self {
            Self::Chromium => chromium(folder, setting),
            Self::Firefox => firefox(folder, setting),
            Self::WebKit => webkit(),
        };
        // Pages replace themselves by document.write: the journey decides what it waits for.
        let strategy = if setting.waits_for_load { "normal" } else { "none" };
        let mut all = json!({ "pageLoadStrategy": strategy, "timeouts": { "script": 30_000, "pageLoad": 30_000 } });
        merge(&mut all, own);
        if setting.trusts.is_some() && self == Self::Firefox {
            merge(&mut all, json!({ "acceptInsecureCerts": true }));
        }
        if let Value::Object(map) = all { map } else { serde_json::Map::new() }
    }
}

fn chromium(folder: &Path, setting: &Setting) -> Value {
    let mut flags: Vec<String> = CHROMIUM_FLAGS.iter().map(|&flag| flag.to_owned()).collect();
    flags.push(format!("--user-data-dir={}", folder.join("profile").display()));
    let user_agent = setting.user_agent.as_deref().unwrap_or(USER_AGENT);
    flags.push(format!("--user-agent={user_agent}"));
    flags.extend_from_slice(&setting.flags);
    flags.extend(setting.secure_host.iter().map(|host| format!("--unsafely-treat-insecure-origin-as-secure=http://{host}")));
    let mut asked = json!({
        "goog:chromeOptions": {
            "binary": "/usr/bin/chromium",
            "args": flags,
            // chromedriver turns the cache that back and forward use off; visitors have it.
            "excludeSwitches": ["disable-back-forward-cache"],
        },
    });
    if setting.blocks_cookies {
        merge(&mut asked, json!({ "goog:chromeOptions": { "prefs": { "profile.default_content_setting_values.cookies": 2 } } }));
    }
    for (is_asked, log) in [(setting.records_network, "performance"), (setting.records_console, "browser")] {
        if is_asked {
            merge(&mut asked, json!({ "goog:loggingPrefs": { log: "ALL" } }));
        }
    }
    asked
}

fn firefox(folder: &Path, setting: &Setting) -> Value {
    let mut preferences = json!({
        "app.normandy.enabled": false,
        "browser.shell.checkDefaultBrowser": false,
        "datareporting.policy.dataSubmissionEnabled": false,
        "network.captive-portal-service.enabled": false,
        "network.connectivity-service.enabled": false,
        "toolkit.telemetry.enabled": false,
    });
    if let Some(folder) = &setting.downloads {
        let own = json!({ "browser.download.folderList": 2, "browser.download.dir": folder, "browser.download.always_ask_before_handling_new_types": false,
            "browser.helperApps.neverAsk.saveToDisk": "text/html" });
        merge(&mut preferences, own);
    }
    if let Some(name) = &setting.user_agent {
        merge(&mut preferences, json!({ "general.useragent.override": name }));
    }
    if let Some(host) = &setting.secure_host {
        merge(&mut preferences, json!({ "dom.securecontext.allowlist": host, "dom.serviceWorkers.testing.enabled": true }));
    }
    if setting.blocks_cookies {
        merge(&mut preferences, json!({ "network.cookie.cookieBehavior": 2 }));
    }
    json!({
        "moz:firefoxOptions": { "binary": "/usr/bin/firefox-esr", "args": ["-headless", "-profile", profile(folder)], "prefs": preferences },
    })
}

fn webkit() -> Value {
    json!({ "webkitgtk:browserOptions": { "binary": mini_browser(), "args": ["--automation"] } })
}

/// Debian keeps MiniBrowser in a folder that names the machine and the library's version.
fn mini_browser() -> PathBuf {
    let below = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    below(PathBuf::from("/usr/lib"))
        .flat_map(below)
        .map(|folder| folder.join("MiniBrowser"))
        .find(|path| path.is_file())
        .expect("WebKitGTK's MiniBrowser is installed (Debian: webkit2gtk-driver)")
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}
