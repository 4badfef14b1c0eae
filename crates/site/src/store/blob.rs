//! Stored bytes, in memory or in a file of the store, and how they get there.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

use super::{Reserved, Store, StoreFile};
use crate::{limits::MEMORY_OBJECT_LEN_MAX, mend::Source};

#[derive(Debug)]
enum Place {
    /// Part of the program, or given by it: costs no budget.
    Given(Bytes),
    Memory(Bytes, #[expect(dead_code, reason = "held for its drop")] Reserved),
    Disk(StoreFile),
}

/// Stored bytes that never change.
#[derive(Debug)]
pub(crate) struct Blob {
    len: u64,
    place: Place,
    /// Where the bytes came from last.
    source: Mutex<Option<Source>>,
    /// Held while the file is made anew.
    mending: Mutex<()>,
}

impl Blob {
    /// Bytes the program holds anyway.
    pub(crate) fn given(bytes: Bytes) -> Self {
        Self::at(bytes.len() as u64, Place::Given(bytes))
    }

    fn at(len: u64, place: Place) -> Self {
        Self { len, place, source: Mutex::default(), mending: Mutex::default() }
    }

    /// Says where the bytes can be had again.
    pub(crate) fn come_from(&self, source: Source) {
        if self.memory().is_none() {
            *self.source.lock().unwrap_or_else(PoisonError::into_inner) = Some(source);
        }
    }

    /// Makes sure that the bytes can be read. Blocks.
    pub(crate) fn check(&self) -> io::Result<()> {
        match &self.place {
            Place::Given(_) | Place::Memory(..) => Ok(()),
            Place::Disk(file) => self.open(file).map(drop),
        }
    }

    /// The whole file, made anew if it is not there.
    fn open(&self, file: &StoreFile) -> io::Result<File> {
        let fault = match self.open_whole(file) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => error,
            opened => return opened,
        };
        let _one = self.mending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(opened) = self.open_whole(file) {
            return Ok(opened);
        }
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner).clone();
        source.ok_or(fault)?.mend(file, self.len)?;
        self.open_whole(file)
    }

    fn open_whole(&self, file: &StoreFile) -> io::Result<File> {
        let opened = File::open(&file.path)?;
        let is_whole = opened.metadata()?.len() == self.len;
        is_whole.then_some(opened).ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "a file of the object store was cut"))
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The bytes, if they are in memory.
    pub(crate) fn memory(&self) -> Option<&Bytes> {
        match &self.place {
            Place::Given(bytes) | Place::Memory(bytes, _) => Some(bytes),
            Place::Disk(_) => None,
        }
    }

    /// A reader from `offset` on. Blocks.
    pub(crate) fn reader(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        match &self.place {
            Place::Given(bytes) | Place::Memory(bytes, _) => {
                let mut cursor = io::Cursor::new(bytes.clone());
                cursor.set_position(offset);
                Ok(Box::new(cursor))
            }
            Place::Disk(file) => {
                let mut file = self.open(file)?;
                file.seek(SeekFrom::Start(offset))?;
                Ok(Box::new(file))
            }
        }
    }

    /// The bytes of `range`. Blocks. Errs when the range reaches over the end.
    pub(crate) fn read_blocking(&self, range: Range<u64>) -> io::Result<Bytes> {
        let beyond = || io::Error::new(io::ErrorKind::UnexpectedEof, "range reaches over the end of the object");
        let len = range.end.checked_sub(range.start).filter(|_| range.end <= self.len).ok_or_else(beyond)?;
        let (start, len) = (usize::try_from(range.start), usize::try_from(len).map_err(|_| beyond())?);
        if let (Some(bytes), Ok(start)) = (self.memory(), start) {
            return Ok(bytes.slice(start..start + len));
        }
        let mut buffer = vec![0; len];
        self.reader(range.start)?.read_exact(&mut buffer)?;
        Ok(buffer.into())
    }
}

/// Takes bytes into the store: in memory while they are few, then in a file.
#[derive(Debug)]
pub(crate) struct BlobWriter {
    store: Arc<Store>,
    memory: Vec<u8>,
    file: Option<(File, StoreFile)>,
    len: u64,
}

impl BlobWriter {
    /// A writer of new content.
    pub(crate) fn new(store: &Arc<Store>) -> Self {
        Self { store: Arc::clone(store), memory: Vec::new(), file: None, len: 0 }
    }

    /// What was written so far, in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Ends the writing.
    pub(crate) fn finish(mut self) -> io::Result<Blob> {
        if self.file.is_none() {
            if let Some(reserved) = self.store.reserve(self.len) {
                self.memory.shrink_to_fit();
                return Ok(Blob::at(self.len, Place::Memory(self.memory.into(), reserved)));
            }
            self.spill()?;
        }
        let Some((_, file)) = self.file else { return Err(io::Error::other("spilled content has no file")) };
        Ok(Blob::at(self.len, Place::Disk(file)))
    }

    fn spill(&mut self) -> io::Result<()> {
        let (mut file, path) = self.store.create()?;
        let guard = StoreFile { path, store: Arc::clone(&self.store) };
        file.write_all(&self.memory)?;
        self.memory = Vec::new();
        self.file = Some((file, guard));
        Ok(())
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.file.is_none() && self.memory.len() + bytes.len() > MEMORY_OBJECT_LEN_MAX {
            self.spill()?;
        }
        let written = match &mut self.file {
            Some((file, _)) => file.write(bytes)?,
            None => self.memory.write(bytes)?,
        };
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
