//! Whether answers are logged, and how.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ValueError;
use super::values::serde_as_text;

/// How the lines of the access log are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum AccessLogFormat {
    /// As other servers write them.
    Combined,
    /// As JSON.
    Json,
}

/// Whether each answer is logged, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AccessLogTo {
    /// It is not.
    #[default]
    Off,
    /// In this format, into [`access_log_file`](super::Config::access_log_file).
    As(AccessLogFormat),
    /// Into this file, `-` for stdout, in the format of [`access_log_format`](super::Config::access_log_format): as it was written in 0.1.0.
    File(PathBuf),
}

impl fmt::Display for AccessLogTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::As(AccessLogFormat::Combined) => f.write_str("combined"),
            Self::As(AccessLogFormat::Json) => f.write_str("json"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl FromStr for AccessLogTo {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "" => Err(ValueError::AccessLog),
            "off" => Ok(Self::Off),
            "combined" => Ok(Self::As(AccessLogFormat::Combined)),
            "json" => Ok(Self::As(AccessLogFormat::Json)),
            file => Ok(Self::File(file.into())),
        }
    }
}

serde_as_text!(AccessLogTo);
