//! Scenarios that come with the program: those of the lab, and examples for operators.

/// A scenario that comes with the program.
#[derive(Debug, Clone, Copy)]
pub struct Builtin {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its file.
    pub text: &'static str,
}

macro_rules! builtins {
    ($($name:literal)*) => {
        /// All of them.
        pub const BUILTINS: &[Builtin] =
            &[$(Builtin { name: $name, text: include_str!(concat!("../scenarios/", $name, ".toml")) }),*];
    };
}

builtins! {
    "crowd-12"
    "crowd-40"
    "crowd"
    "office"
    "two-offices"
    "isps"
    "trickle"
    "hostile"
    "lone"
    "small-site"
    "release-day"
    "million"
    "thousand"
}

/// The one of this name.
#[must_use]
pub fn builtin(name: &str) -> Option<Builtin> {
    BUILTINS.iter().copied().find(|builtin| builtin.name == name)
}
