//! One file as it was read, and what is decided only when all files were: how long it is kept, and which compressed file belongs to which.

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

use viral_wire::Digest;

use super::{
    Asset, Object, Which,
    asset::{BuildContext, Name},
    caching::Caching,
    compress::Coding,
    history::Told,
    media,
    mend::Made,
    object::TakeError,
};

/// A file as it was read.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) asset: Arc<Asset>,
    /// Whether other content was seen under its name.
    changed: bool,
    /// The coding that was undone, since there is no other file of this content.
    pub(super) unpacked: Option<Coding>,
    /// The content that a compressed file was compared with last.
    compared: Option<Digest>,
}

impl Entry {
    /// The entry of a file with this content. With `coding` it is served as what it holds, if it holds that. Blocks.
    ///
    /// # Errors
    /// When the object store cannot be read or written.
    pub(super) fn make(
        context: &BuildContext,
        (relative, real): (&str, Option<&Path>),
        raw: Arc<Object>,
        coding: Option<Coding>,
        tell: impl FnOnce(Digest) -> Told,
    ) -> io::Result<Self> {
        let held = match coding.map(|coding| Object::unpacked(&context.objects, &raw, coding)) {
            Some(Ok(held)) => Some(held),
            Some(Err(TakeError::Store(error))) => return Err(error),
            Some(Err(TakeError::File(error))) => {
                tracing::warn!(path = relative, %error, "is served as it is, since no browser could unpack it; compress it anew");
                None
            }
            None => None,
        };
        if let Some(real) = real {
            raw.come_from(real, Made::Copied);
            if let (Some(held), Some(coding)) = (&held, coding) {
                held.come_from(real, Made::Unpacked(coding));
            }
        }
        let typed_as = match &held {
            Some(_) => relative.rsplit_once('.').map_or(relative, |(plain, _)| plain),
            None => relative,
        };
        let raw = held.unwrap_or(raw);
        let told = tell(raw.digest());
        let asset = Asset::make(context, Name { relative, typed_as, real }, raw, told.date)?;
        Ok(Self { asset: Arc::new(asset), changed: told.changed, unpacked: coding, compared: None })
    }
}

/// The coding of a file that stands for what it holds, as game engines write it: `game.wasm.br`, and no `game.wasm`.
///
/// Only types that browsers load themselves, for of others the app may ask to unpack them by its own means, or a person to keep them packed. No
/// browser lets an app unpack Brotli, so there every known type counts.
pub(super) fn stands_alone(relative: &str, exists: impl Fn(&str) -> bool) -> Option<Coding> {
    let (plain, coding) = Coding::of_name(relative)?;
    let name = plain.rsplit('/').next().unwrap_or(plain).to_ascii_lowercase();
    let (_, extension) = name.rsplit_once('.')?;
    let is_loaded = matches!(extension, "js" | "mjs" | "cjs" | "css" | "wasm" | "svg" | "data") || name.ends_with(".symbols.json");
    let essence = media::essence(plain);
    let is_known = media::is_known(essence) && media::is_compressible(essence) && !media::is_page(essence);
    ((is_loaded || (coding == Coding::Brotli && is_known)) && !exists(plain)).then_some(coding)
}

/// Decides what needs to be known of all. Blocks while compressed files that are new are compared with what they stand beside.
pub(super) fn settle(entries: &mut BTreeMap<&str, &mut Entry>, immutable: &[String]) {
    let all: Vec<Arc<Asset>> = entries.values().map(|entry| Arc::clone(&entry.asset)).collect();
    let caching = Caching::of(all.iter().map(|asset| &**asset), immutable);
    for (relative, entry) in entries.iter_mut() {
        let rule = caching.rule(relative, &entry.asset, entry.changed);
        if entry.asset.cache_control() != rule {
            entry.asset = Arc::new(entry.asset.with_cache_control(rule));
        }
    }
    let beside: Vec<(&str, &str, Coding)> =
        entries.keys().filter_map(|relative| Coding::of_name(relative).map(|(plain, coding)| (*relative, plain, coding))).collect();
    for (relative, plain, coding) in beside {
        let Some(plain) = entries.get(plain).map(|entry| Arc::clone(&entry.asset)) else { continue };
        let Some(packed) = entries.get_mut(relative) else { continue };
        let object = plain.object(Which::Raw);
        if !media::is_compressible(plain.media_type()) || object.encodings().has_given(coding) || packed.compared == Some(object.digest()) {
            continue;
        }
        packed.compared = Some(object.digest());
        match object.take_form(packed.asset.object(Which::Raw), coding) {
            Ok(true) => {}
            Ok(false) => tracing::debug!(path = relative, "is not what it stands beside, compressed smaller; it is not used"),
            Err(error) => tracing::warn!(path = relative, %error, "is not used for what it stands beside; compress that anew"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_browsers_load_stands_for_what_it_holds() {
        let alone = |name| stands_alone(name, |_| false);
        for name in ["Build/game.wasm.br", "game.framework.js.br", "game.data.br", "game.symbols.json.br", "a.json.br", "a.ttf.BR"] {
            assert_eq!(alone(name), Some(Coding::Brotli), "{name}");
        }
        for name in ["x.js.gz", "game.data.gz", "a.css.gz"] {
            assert_eq!(alone(name), Some(Coding::Gzip), "{name}");
        }
        for name in [
            "site.tar.gz",
            "eng.traineddata.gz",
            "rows.csv.gz",
            "rows.json.gz",
            "page.html.br",
            "photo.png.br",
            "gz",
            "br",
            "data.br",
            "a.js",
        ] {
            assert_eq!(alone(name), None, "{name}");
        }
        assert_eq!(stands_alone("a/x.js.gz", |plain| plain == "a/x.js"), None);
    }
}
