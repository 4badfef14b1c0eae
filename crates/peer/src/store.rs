//! Verified pieces and where they lie: in memory, in an unlinked temporary file, or in a directory that outlives the process.
//!
//! In a directory each asset is one file named by its digest. Pieces are written in place; which of them are there is found out by hashing them when the
//! file is opened again, so there is no index that could be wrong after a crash or a full disk.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::OFlags;
use viral_wire::piece_codec::is_compressible;
use viral_wire::{AssetRecord, Digest, Piece, PieceId};

use crate::limits::MEMORY_BYTES_MAX;
use crate::private::no_follow;

/// Where a store keeps its assets.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// Nowhere that outlives the store.
    Memory,
    /// A directory of our own.
    Directory(PathBuf),
}

/// The pieces held.
#[derive(Debug)]
pub(crate) struct Store {
    place: Place,
    assets: BTreeMap<Digest, Stored>,
    pieces: HashMap<PieceId, Known>,
    memory_bytes: u64,
}

#[derive(Debug)]
struct Stored {
    backing: Backing,
    pieces: Vec<Piece>,
    compressible: bool,
}

#[derive(Debug)]
enum Backing {
    Memory(Vec<u8>),
    Unlinked(File),
    At(PathBuf),
    /// A file that is somebody else's: only read.
    Foreign(PathBuf),
}

/// A piece of some asset that the store knows.
#[derive(Debug)]
struct Known {
    piece: Piece,
    held: bool,
    /// Every place where it belongs: asset and offset.
    places: Vec<(Digest, u64)>,
}

impl Store {
    /// An empty store; the directory is made if need be.
    pub(crate) fn open(place: Place) -> io::Result<Self> {
        if let Place::Directory(dir) = &place {
            fs::create_dir_all(dir)?;
        }
        Ok(Self { place, assets: BTreeMap::new(), pieces: HashMap::new(), memory_bytes: 0 })
    }

    /// Makes room for an asset and looks which of its pieces are there already. Known assets are left as they are.
    pub(crate) fn add(&mut self, record: &AssetRecord) -> io::Result<()> {
        if self.assets.contains_key(&record.digest) {
            return Ok(());
        }
        let (backing, existed) = self.make_backing(record)?;
        let stored = Stored { backing, pieces: record.pieces.clone(), compressible: is_compressible(&record.media_type) };
        let mut offset = 0;
        let mut copies = Vec::new();
        for piece in &record.pieces {
            let id = piece.id();
            let is_here = existed && stored.backing.read(offset, piece.len).is_ok_and(|raw| Digest::of(&raw) == piece.digest);
            let known = self.pieces.entry(id).or_insert_with(|| Known { piece: *piece, held: false, places: Vec::new() });
            if known.held && !is_here {
                copies.push((id, offset));
            }
            if is_here {
                known.held = true;
            }
            known.places.push((record.digest, offset));
            offset += u64::from(piece.len);
        }
        self.assets.insert(record.digest, stored);
        // What another asset holds already, this one gets from there.
        for (id, offset) in copies {
            if let (Some(raw), Some(stored)) = (self.read(&id), self.assets.get_mut(&record.digest)) {
                stored.backing.write(offset, &raw)?;
            }
        }
        Ok(())
    }

    /// Takes an asset over from a file elsewhere that holds it whole: its pieces are read from there, and never written.
    pub(crate) fn adopt(&mut self, record: &AssetRecord, path: PathBuf) -> io::Result<bool> {
        if fs::metadata(&path)?.len() != record.len || digest_of_file(&path)? != record.digest {
            return Ok(false);
        }
        let compressible = is_compressible(&record.media_type);
        self.assets.insert(record.digest, Stored { backing: Backing::Foreign(path), pieces: record.pieces.clone(), compressible });
        let mut offset = 0;
        for piece in &record.pieces {
            let known = self.pieces.entry(piece.id()).or_insert_with(|| Known { piece: *piece, held: false, places: Vec::new() });
            known.held = true;
            known.places.insert(0, (record.digest, offset));
            offset += u64::from(piece.len);
        }
        Ok(true)
    }

    /// The asset's file is at another path from now on.
    pub(crate) fn moved(&mut self, digest: &Digest, path: PathBuf) {
        if let Some(stored) = self.assets.get_mut(digest) {
            stored.backing = Backing::Foreign(path);
        }
    }

    /// Forgets assets other than those; pieces that only they had are gone.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Digest) -> bool) {
        self.assets.retain(|digest, _| keep(digest));
        let assets = &self.assets;
        self.pieces.retain(|_, known| {
            known.places.retain(|(digest, _)| assets.contains_key(digest));
            !known.places.is_empty()
        });
    }

    /// What is known of a piece, held or not.
    pub(crate) fn piece(&self, id: &PieceId) -> Option<Piece> {
        self.pieces.get(id).map(|known| known.piece)
    }

    /// Whether the piece is held.
    pub(crate) fn has(&self, id: &PieceId) -> bool {
        self.pieces.get(id).is_some_and(|known| known.held)
    }

    /// Keeps a verified piece.
    pub(crate) fn put(&mut self, id: &PieceId, raw: &[u8]) -> io::Result<()> {
        let Some(known) = self.pieces.get_mut(id) else { return Ok(()) };
        for (digest, offset) in &known.places {
            if let Some(stored) = self.assets.get_mut(digest) {
                stored.backing.write(*offset, raw)?;
            }
        }
        known.held = true;
        Ok(())
    }

    /// The bytes of a held piece, verified again if they come from a disk that somebody else may write to; none if it is not here any more.
    pub(crate) fn read(&mut self, id: &PieceId) -> Option<Bytes> {
        let known = self.pieces.get_mut(id).filter(|known| known.held)?;
        let (digest, offset) = known.places.first()?;
        let backing = &self.assets.get(digest)?.backing;
        let raw = backing.read(*offset, known.piece.len).ok();
        let raw = raw.filter(|raw| !matches!(backing, Backing::At(_) | Backing::Foreign(_)) || Digest::of(raw) == known.piece.digest);
        if raw.is_none() {
            known.held = false;
        }
        raw.map(Bytes::from)
    }

    /// Whether the piece is worth compressing.
    pub(crate) fn is_compressible(&self, id: &PieceId) -> bool {
        let place = self.pieces.get(id).and_then(|known| known.places.first());
        place.and_then(|(digest, _)| self.assets.get(digest)).is_some_and(|stored| stored.compressible)
    }

    /// Whether every piece of the asset is held.
    pub(crate) fn is_whole(&self, digest: &Digest) -> bool {
        self.assets.get(digest).is_some_and(|stored| stored.pieces.iter().all(|piece| self.has(&piece.id())))
    }

    /// The bytes of a whole asset whose digest is right, none otherwise.
    pub(crate) fn asset(&mut self, record: &AssetRecord) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(usize::try_from(record.len).ok()?);
        for piece in &record.pieces {
            bytes.extend_from_slice(&self.read(&piece.id())?);
        }
        (Digest::of(&bytes) == record.digest).then_some(bytes)
    }

    /// Whether the whole asset has its digest, without holding it in memory.
    pub(crate) fn verify(&mut self, record: &AssetRecord) -> bool {
        use sha2::Digest as _;
        let mut hash = sha2::Sha256::new();
        for piece in &record.pieces {
            match self.read(&piece.id()) {
                Some(raw) => hash.update(&raw),
                None => return false,
            }
        }
        Digest(hash.finalize().into()) == record.digest
    }

    /// The file of an asset in a directory store.
    pub(crate) fn path(&self, digest: &Digest) -> Option<&Path> {
        match &self.assets.get(digest)?.backing {
            Backing::At(path) | Backing::Foreign(path) => Some(path),
            Backing::Memory(_) | Backing::Unlinked(_) => None,
        }
    }

    /// How many of these pieces are held, and their bytes.
    pub(crate) fn count(&self, pieces: &[Piece]) -> (u32, u64) {
        let held = pieces.iter().filter(|piece| self.has(&piece.id()));
        held.fold((0, 0), |(count, bytes), piece| (count + 1, bytes + u64::from(piece.len)))
    }

    fn make_backing(&mut self, record: &AssetRecord) -> io::Result<(Backing, bool)> {
        match &self.place {
            Place::Memory if self.memory_bytes + record.len <= MEMORY_BYTES_MAX => {
                self.memory_bytes += record.len;
                Ok((Backing::Memory(vec![0; usize::try_from(record.len).unwrap_or(usize::MAX)]), false))
            }
            Place::Memory => {
                let file = tempfile::tempfile()?;
                file.set_len(record.len)?;
                Ok((Backing::Unlinked(file), false))
            }
            Place::Directory(dir) => {
                let path = dir.join(record.digest.to_string());
                let file = options().write(true).create(true).truncate(false).open(&path)?;
                let existed = file.metadata()?.len() == record.len;
                file.set_len(record.len)?;
                Ok((Backing::At(path), existed))
            }
        }
    }
}

impl Backing {
    fn read(&self, offset: u64, len: u32) -> io::Result<Vec<u8>> {
        let mut raw = vec![0; len as usize];
        match self {
            Self::Memory(bytes) => raw.copy_from_slice(&bytes[offset as usize..][..len as usize]),
            Self::Unlinked(file) => file.read_exact_at(&mut raw, offset)?,
            Self::At(path) | Self::Foreign(path) => options().read(true).open(path)?.read_exact_at(&mut raw, offset)?,
        }
        Ok(raw)
    }

    fn write(&mut self, offset: u64, raw: &[u8]) -> io::Result<()> {
        match self {
            Self::Memory(bytes) => bytes[offset as usize..][..raw.len()].copy_from_slice(raw),
            Self::Unlinked(file) => file.write_all_at(raw, offset)?,
            Self::At(path) => options().write(true).open(path)?.write_all_at(raw, offset)?,
            Self::Foreign(_) => {}
        }
        Ok(())
    }
}

/// Files are opened as they are: not what a link in their place points to.
fn options() -> fs::OpenOptions {
    let mut options = File::options();
    options.custom_flags(no_follow(OFlags::empty()));
    options
}

/// SHA-256 of a file, read in stretches.
pub(crate) fn digest_of_file(path: &Path) -> io::Result<Digest> {
    use sha2::Digest as _;
    let mut hash = sha2::Sha256::new();
    io::copy(&mut options().read(true).open(path)?, &mut hash)?;
    Ok(Digest(hash.finalize().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(pieces: &[&[u8]]) -> AssetRecord {
        let whole = pieces.concat();
        AssetRecord {
            path: "/a".to_owned(),
            media_type: "text/plain".to_owned(),
            headers: Vec::new(),
            len: whole.len() as u64,
            digest: Digest::of(&whole),
            pieces: pieces.iter().map(|raw| Piece { len: raw.len() as u32, digest: Digest::of(raw) }).collect(),
        }
    }

    /// Bytes of all pieces held, each counted once.
    fn held_len(store: &Store) -> u64 {
        store.pieces.values().filter(|known| known.held).map(|known| u64::from(known.piece.len)).sum()
    }

    fn id(raw: &[u8]) -> PieceId {
        Digest::of(raw).piece_id()
    }

    #[test]
    fn a_piece_fills_every_place_where_it_belongs() {
        for place in [Place::Memory, Place::Directory(tempfile::tempdir().unwrap().keep())] {
            let mut store = Store::open(place).unwrap();
            let (one, two) = (record(&[b"ab", b"cd", b"ab"]), record(&[b"xyz", b"ab"]));
            store.add(&one).unwrap();
            store.put(&id(b"ab"), b"ab").unwrap();
            store.add(&two).unwrap();
            store.put(&id(b"cd"), b"cd").unwrap();
            assert!(store.is_whole(&one.digest) && !store.is_whole(&two.digest));
            store.put(&id(b"xyz"), b"xyz").unwrap();
            assert_eq!((store.asset(&one), store.asset(&two)), (Some(b"abcdab".to_vec()), Some(b"xyzab".to_vec())));
            assert!(store.verify(&one));
            assert_eq!(store.count(&one.pieces), (3, 6));
            assert_eq!(held_len(&store), 7, "each piece once");
        }
    }

    #[test]
    fn a_directory_that_is_opened_again_holds_what_was_verified_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let asset = record(&[b"ab", b"cd", b"ef"]);
        let mut store = Store::open(Place::Directory(dir.path().to_owned())).unwrap();
        store.add(&asset).unwrap();
        store.put(&id(b"cd"), b"cd").unwrap();
        drop(store);
        let mut store = Store::open(Place::Directory(dir.path().to_owned())).unwrap();
        store.add(&asset).unwrap();
        assert_eq!([b"ab", b"cd", b"ef"].map(|raw| store.has(&id(raw))), [false, true, false]);
        fs::write(dir.path().join(asset.digest.to_string()), b"abXXef").unwrap();
        let mut again = Store::open(Place::Directory(dir.path().to_owned())).unwrap();
        again.add(&asset).unwrap();
        assert_eq!([b"ab", b"cd", b"ef"].map(|raw| again.has(&id(raw))), [true, false, true]);
        assert_eq!(store.read(&id(b"cd")), None, "a piece that somebody overwrote is not given to anybody");
        assert!(!store.has(&id(b"cd")));
        assert_eq!((held_len(&store), held_len(&again)), (0, 4));
    }

    #[test]
    fn a_file_elsewhere_is_adopted_only_if_it_is_the_asset() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        let asset = record(&[b"ab", b"cd"]);
        let mut store = Store::open(Place::Memory).unwrap();
        fs::write(&path, b"abce").unwrap();
        assert!(!store.adopt(&asset, path.clone()).unwrap());
        fs::write(&path, b"abcd").unwrap();
        assert!(store.adopt(&asset, path).unwrap());
        assert_eq!(store.read(&id(b"cd")).as_deref(), Some(&b"cd"[..]));
    }

    #[test]
    fn forgotten_assets_take_their_own_pieces_with_them() {
        let mut store = Store::open(Place::Memory).unwrap();
        let (one, two) = (record(&[b"ab", b"cd"]), record(&[b"ab", b"ef"]));
        store.add(&one).unwrap();
        store.add(&two).unwrap();
        for raw in [b"ab", b"cd", b"ef"] {
            store.put(&id(raw), raw).unwrap();
        }
        store.retain(|digest| *digest == two.digest);
        assert_eq!([b"ab", b"cd", b"ef"].map(|raw| store.has(&id(raw))), [true, false, true]);
        assert_eq!(store.read(&id(b"ab")).as_deref(), Some(&b"ab"[..]));
        assert_eq!(held_len(&store), 4);
    }
}
