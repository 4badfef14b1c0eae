//! Scripted meetings in virtual time.
