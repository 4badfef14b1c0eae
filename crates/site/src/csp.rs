//! Whether a page's Content-Security-Policy lets us work: run the addition, run the loader, write the document.
//!
//! Pure text analysis after CSP level 3. Where a policy is unclear the answer is "not allowed": the page is then answered plain.

mod policy;

use policy::{Directive, Policy};

/// The parts of the page's origin that source expressions are matched against.
#[derive(Debug, Clone, Copy)]
pub struct PageOrigin<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// `Host` of the request, with port if it has one.
    pub host: &'a str,
    /// The path below which the site lies.
    pub base: &'a str,
}

/// Directives that govern scripts, workers and connections, in the fallback order.
const SCRIPTS: [&str; 3] = ["script-src-elem", "script-src", "default-src"];
const WORKERS: [&str; 4] = ["worker-src", "child-src", "script-src", "default-src"];
const CONNECTIONS: [&str; 2] = ["connect-src", "default-src"];

/// Whether this header, by its name in lower case, holds policies. Those that only report must not hear of us either.
pub fn is_policy(name: &str) -> bool {
    matches!(name, "content-security-policy" | "content-security-policy-report-only")
}

/// Whether the addition and the loader can work under all policies that hold for a page: `headers` values of `content-security-policy`, `metas`
/// contents of meta elements.
pub fn allows<'a>(headers: impl IntoIterator<Item = &'a str>, metas: impl IntoIterator<Item = &'a str>, origin: PageOrigin<'_>) -> bool {
    headers.into_iter().chain(metas).flat_map(policy::parse_list).all(|policy| allows_us(&policy, origin))
}

/// The nonce that a script tag of ours must have so that all of these policies let it run and do its work, if any of them wants one. `None` where one of them does not let it.
pub fn nonce_for<'a>(headers: impl IntoIterator<Item = &'a str>, origin: PageOrigin<'_>) -> Option<Option<String>> {
    let mut known: Option<String> = None;
    for policy in headers.into_iter().flat_map(policy::parse_list) {
        if allows_us(&policy, origin) {
            continue;
        }
        let nonce = nonce_of(&policy, origin)?;
        if known.as_ref().is_some_and(|known| *known != nonce) {
            return None;
        }
        known = Some(nonce);
    }
    Some(known)
}

/// The nonce with which a script of ours runs, may load another one and register the worker.
fn nonce_of(policy: &Policy<'_>, origin: PageOrigin<'_>) -> Option<String> {
    let scripts = policy.first_of(&SCRIPTS)?;
    let nonce = scripts.sources.iter().find_map(|source| source.strip_prefix("'nonce-")?.strip_suffix('\''))?;
    let is_plain = !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte));
    let workers = policy.first_of(&WORKERS);
    // Where scripts that may run may load others, they may register workers, too.
    let workers_fit = workers.is_none_or(|directive| {
        allows_same_origin(directive, origin)
            || (!matches!(directive.name.as_str(), "worker-src" | "child-src") && directive.lists("'strict-dynamic'"))
    });
    let connects = policy.first_of(&CONNECTIONS).is_none_or(|directive| allows_same_origin(directive, origin));
    let fits = is_plain && workers_fit && connects && sandbox_fits(policy) && !policy.has("require-trusted-types-for");
    fits.then(|| nonce.to_owned())
}

/// The header value for a thin answer: `value` with `hash` (`sha256-…`, no quotes) allowed wherever inline scripts are not.
pub fn with_script_hash(value: &str, hash: &str) -> String {
    policy::parse_list(value).map(|policy| policy_with_hash(&policy, hash)).collect::<Vec<_>>().join(", ")
}

/// Whether a style sheet of ours in a page with these policies would be used.
pub fn allows_inline_styles<'a>(headers: impl IntoIterator<Item = &'a str>) -> bool {
    let names = ["style-src-elem", "style-src", "default-src"];
    headers.into_iter().flat_map(policy::parse_list).all(|policy| policy.first_of(&names).is_none_or(allows_inline))
}

fn policy_with_hash(policy: &Policy<'_>, hash: &str) -> String {
    let governing = policy.first_of(&SCRIPTS);
    let needs_hash = governing.is_some_and(|directive| !allows_inline(directive));
    let mut parts = Vec::new();
    for directive in policy.directives() {
        let own = needs_hash && governing.is_some_and(|g| g.name == directive.name && g.name != "default-src");
        parts.push(if own { format!("{directive} '{hash}'") } else { directive.to_string() });
    }
    if let Some(directive) = governing.filter(|g| needs_hash && g.name == "default-src") {
        parts.push(format!("script-src {} '{hash}'", directive.sources.join(" ")));
    }
    parts.join("; ")
}

fn sandbox_fits(policy: &Policy<'_>) -> bool {
    policy.get("sandbox").is_none_or(|sandbox| sandbox.lists("allow-scripts") && sandbox.lists("allow-same-origin"))
}

fn allows_us(policy: &Policy<'_>, origin: PageOrigin<'_>) -> bool {
    let allows = |names: &[&str]| policy.first_of(names).is_none_or(|directive| allows_same_origin(directive, origin));
    // Neither the worker's URL nor the document is a trusted type in the loader, which has no room to make them one.
    sandbox_fits(policy) && !policy.has("require-trusted-types-for") && allows(&SCRIPTS) && allows(&WORKERS) && allows(&CONNECTIONS)
}

/// Does this source list let a same-origin URL under `/.viral/` through?
fn allows_same_origin(directive: &Directive<'_>, origin: PageOrigin<'_>) -> bool {
    !directive.lists("'strict-dynamic'") && directive.sources.iter().any(|source| source_matches(source, origin))
}

/// Does this source list let any inline script run?
fn allows_inline(directive: &Directive<'_>) -> bool {
    let exact = |source: &&str| {
        let source = source.to_ascii_lowercase();
        source.starts_with("'nonce-") || source.starts_with("'sha256-") || source.starts_with("'sha384-") || source.starts_with("'sha512-")
    };
    directive.lists("'unsafe-inline'") && !directive.lists("'strict-dynamic'") && !directive.sources.iter().any(exact)
}

/// One source expression against the page's own origin, path `/.viral/…`.
fn source_matches(given: &str, origin: PageOrigin<'_>) -> bool {
    let source = given.to_ascii_lowercase();
    if source == "'self'" || source == "*" {
        return true;
    }
    if source.starts_with('\'') {
        return false;
    }
    let scheme_fits = |scheme: &str| scheme == origin.scheme || (scheme == "http" && origin.scheme == "https");
    if let Some(scheme) = source.strip_suffix(':') {
        return scheme_fits(scheme);
    }
    let rest = match source.split_once("://") {
        Some((scheme, rest)) if scheme_fits(scheme) => rest,
        Some(_) => return false,
        None => &source,
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // Case counts here alone.
    let path = &given[given.len() - path.len()..];
    let path_fits =
        path.is_empty() || (path.ends_with('/') && (origin.base.starts_with(path) || path.strip_prefix(origin.base) == Some(".viral/")));
    path_fits && host_matches(host, origin)
}

fn host_matches(pattern: &str, origin: PageOrigin<'_>) -> bool {
    let default_port = if origin.scheme == "https" { "443" } else { "80" };
    let host = origin.host.to_ascii_lowercase();
    let (host, port) = split_port(&host);
    let (pattern, pattern_port) = split_port(pattern);
    let port_fits = pattern_port == Some("*") || pattern_port.unwrap_or(default_port) == port.unwrap_or(default_port);
    let host_fits = match pattern.strip_prefix('*') {
        Some(suffix) => suffix.starts_with('.') && host.len() > suffix.len() && host.ends_with(suffix),
        None => pattern == host,
    };
    port_fits && host_fits
}

/// `host:port` in two. An IPv6 literal keeps its brackets, and an empty port is none.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port).filter(|port| !port.is_empty())),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests;
