//! The program as a supervisor has it.

use std::io::Read as _;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

/// Ends it as a supervisor does; what it said on stderr.
pub(crate) fn end(mut server: Child) -> String {
    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    let mut said = String::new();
    server.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(server.wait().unwrap().success(), "{said}");
    said
}
