//! How a server is watched and steered: status file and management interface.

use std::time::Duration;

use super::error::{ConfigError, InvalidValue};
use super::options::Options;
use crate::management::{ManagementAddress, ManagementSettings};
use crate::status::{StatusFileSettings, StatusVersion};

/// The time between two versions of the status file, as OpenVPN has it.
const STATUS_INTERVAL: u32 = 60;
const LOG_LINES: u32 = 250;
const MAXIMUM_LOG_LINES: u32 = 100_000;

/// Why an option about operation cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOperationOption {
    /// A status version that does not exist.
    #[error("versions are 1, 2 and 3")]
    UnknownStatusVersion,
    /// A port that other hosts reach, without a password.
    #[error("other hosts can reach it, and there is no password")]
    OpenManagement,
    /// More log lines than memory should be spent on.
    #[error("at most {MAXIMUM_LOG_LINES} lines are kept")]
    TooManyLogLines,
}

impl InvalidOperationOption {
    pub(super) const fn help(&self) -> &'static str {
        match self {
            Self::UnknownStatusVersion => "version 2 is for programs, version 1 for people",
            Self::OpenManagement => "use a loopback address, unix:PATH, or --management-password FILE",
            Self::TooManyLogLines => "250 is usual",
        }
    }
}

impl StatusFileSettings {
    pub(super) fn check(options: &Options) -> Result<Option<Self>, ConfigError> {
        let number = options.status_version.unwrap_or(1);
        let version = StatusVersion::from_number(number).ok_or_else(|| {
            invalid("status-version", number.to_string(), InvalidOperationOption::UnknownStatusVersion)
        })?;
        let Some(path) = options.status.clone() else { return Ok(None) };
        let seconds = match options.status_interval {
            Some(0) => {
                let problem = InvalidValue::Zero;
                return Err(ConfigError::InvalidValue {
                    option: "status-interval",
                    value: "0".to_owned(),
                    problem,
                });
            }
            seconds => seconds.unwrap_or(STATUS_INTERVAL),
        };
        Ok(Some(Self { path, interval: Duration::from_secs(seconds.into()), version }))
    }
}

impl ManagementSettings {
    pub(super) fn check(options: &Options) -> Result<Option<Self>, ConfigError> {
        let decides_logins = options.management_client_auth.unwrap_or(false);
        let Some(text) = options.management.as_deref() else {
            let needs = ConfigError::NeedsManagement { option: "management-client-auth" };
            return if decides_logins { Err(needs) } else { Ok(None) };
        };
        let address: ManagementAddress = text.parse().map_err(|problem| ConfigError::InvalidValue {
            option: "management",
            value: text.to_owned(),
            problem: InvalidValue::Management(problem),
        })?;
        if address.is_reachable_from_elsewhere() && options.management_password.is_none() {
            return Err(invalid("management", text.to_owned(), InvalidOperationOption::OpenManagement));
        }
        let lines = options.management_log_lines.unwrap_or(LOG_LINES);
        if lines > MAXIMUM_LOG_LINES {
            let problem = InvalidOperationOption::TooManyLogLines;
            return Err(invalid("management-log-lines", lines.to_string(), problem));
        }
        Ok(Some(Self {
            address,
            password_file: options.management_password.clone(),
            is_held: options.management_hold.unwrap_or(false),
            decides_logins,
            log_lines: usize::try_from(lines).unwrap_or(usize::MAX),
        }))
    }
}

fn invalid(option: &'static str, value: String, problem: InvalidOperationOption) -> ConfigError {
    ConfigError::InvalidValue { option, value, problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_status_file_has_openvpns_defaults() {
        let options = Options { status: Some("/run/status".into()), ..Options::default() };
        let expected = StatusFileSettings {
            path: PathBuf::from("/run/status"),
            interval: Duration::from_secs(60),
            version: StatusVersion::One,
        };
        assert_eq!(StatusFileSettings::check(&options).unwrap(), Some(expected));
        assert_eq!(StatusFileSettings::check(&Options::default()).unwrap(), None);
    }

    #[test]
    fn ops_01_a_management_port_for_other_hosts_needs_a_password() {
        let open = Options { management: Some("0.0.0.0:7505".to_owned()), ..Options::default() };
        let error = ManagementSettings::check(&open).unwrap_err().to_string();
        assert_eq!(error, "--management 0.0.0.0:7505: other hosts can reach it, and there is no password");
        let closed = Options { management_password: Some("pw".into()), ..open };
        assert!(ManagementSettings::check(&closed).unwrap().is_some());
    }

    #[test]
    fn what_cannot_be_is_named() {
        let cases = [
            ("status-version = 4", "--status-version 4: versions are 1, 2 and 3"),
            ("status = 's'\nstatus-interval = 0", "--status-interval 0: at least 1 is needed"),
            ("management = 'x'", "--management x: 'x' is neither unix:PATH nor ADDRESS:PORT"),
            (
                "management = 'unix:/m'\nmanagement-log-lines = 100001",
                "--management-log-lines 100001: at most 100000 lines are kept",
            ),
        ];
        for (text, expected) in cases {
            let options: Options = toml::from_str(text).unwrap();
            let status = StatusFileSettings::check(&options).map(drop);
            let error = status.and_then(|()| ManagementSettings::check(&options).map(drop)).unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert!(!error.help().is_empty());
        }
    }
}
