//! Who has the last word about clients that logged in: `connect-handler` and the options about it.

use std::time::Duration;

use super::check::{at_least_one, parse};
use super::options::Options;
use super::{ConfigError, InvalidValue};
use crate::auth::connect_handler::{ConnectHandlerSettings, HandlerTarget, InvalidHandler};

/// The handler, if there is one.
pub(super) fn check(options: &Options) -> Result<Option<ConnectHandlerSettings>, ConfigError> {
    let Some(target) = parse::<HandlerTarget>("connect-handler", options.connect_handler.as_deref())? else {
        return without_handler(options).map(|()| None);
    };
    let timeout = at_least_one("connect-handler-timeout", options.connect_handler_timeout)?;
    let timeout = timeout
        .map_or(ConnectHandlerSettings::LONGEST_TIMEOUT, |seconds| Duration::from_secs(seconds.into()));
    if timeout > ConnectHandlerSettings::LONGEST_TIMEOUT {
        return Err(invalid("connect-handler-timeout", timeout.as_secs(), InvalidHandler::TooLong));
    }
    let limit = at_least_one("connect-handler-limit", options.connect_handler_limit)?;
    let limit = limit.unwrap_or(ConnectHandlerSettings::DEFAULT_LIMIT);
    if limit > ConnectHandlerSettings::GREATEST_LIMIT {
        return Err(invalid("connect-handler-limit", limit.into(), InvalidHandler::TooMany));
    }
    Ok(Some(ConnectHandlerSettings {
        target,
        timeout,
        limit,
        authorities: options.connect_handler_ca.clone(),
    }))
}

/// Options about a handler say nothing without one.
fn without_handler(options: &Options) -> Result<(), ConfigError> {
    let is_about_one = options.connect_handler_timeout.is_some()
        || options.connect_handler_limit.is_some()
        || options.connect_handler_ca.is_some();
    if is_about_one {
        let meaning = "the program or web service that the other options of the handler are about";
        return Err(ConfigError::Missing { option: "connect-handler", meaning });
    }
    Ok(())
}

fn invalid(option: &'static str, value: u64, problem: InvalidHandler) -> ConfigError {
    ConfigError::InvalidValue { option, value: value.to_string(), problem: InvalidValue::from(problem) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handler(text: &str) -> Result<Option<ConnectHandlerSettings>, String> {
        check(&toml::from_str(text).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_handler_has_thirty_seconds_and_sixteen_clients_unless_told_otherwise() {
        assert_eq!(handler("").unwrap(), None);
        let settings = handler("connect-handler='exec:/bin/h'").unwrap().unwrap();
        assert_eq!((settings.timeout.as_secs(), settings.limit), (30, 16));
        let text = "connect-handler='https://a/'\nconnect-handler-timeout=5\nconnect-handler-limit=1\nconnect-handler-ca='c'";
        let settings = handler(text).unwrap().unwrap();
        assert_eq!((settings.timeout.as_secs(), settings.limit), (5, 1));
        assert!(settings.authorities.is_some());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, said) in [
            ("connect-handler='/bin/h'", "neither with exec:"),
            ("connect-handler='exec:/bin/h'\nconnect-handler-timeout=31", "at most 30 s"),
            ("connect-handler='exec:/bin/h'\nconnect-handler-timeout=0", "at least 1"),
            ("connect-handler='exec:/bin/h'\nconnect-handler-limit=257", "at most 256 clients"),
            ("connect-handler-timeout=5", "--connect-handler is missing"),
        ] {
            let error = handler(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
