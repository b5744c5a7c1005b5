//! Associations with target networks: `[[association]]` in a configuration file.
//!
//! An association says how the clients of this endpoint appear in the network behind one interface. Routes that name the
//! interface lead through it; an interface without association is as `no-nat` says.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::check::parse;
use super::error::{ConfigError, InvalidValue};
use super::options::one_or_many;
use crate::transport::tun::DeviceName;

/// How clients appear behind one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Association {
    /// What people and programs call it.
    pub id: String,
    /// The interface.
    pub interface: DeviceName,
    /// Whose addresses packets of clients have there.
    pub translation: Translation,
}

/// Whose addresses packets of clients have behind an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Translation {
    /// Those of the interface.
    #[default]
    Masquerade,
    /// These, one of each family at most; a family without one is not translated.
    Source(Vec<IpAddr>),
    /// Their own.
    None,
}

/// The keys of `[[association]]`, as they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct AssociationOptions {
    /// What people and programs call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// `masquerade`, `none`, or one address of each family.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Option::is_none")]
    pub nat: Option<Vec<String>>,
}

pub(super) fn check_all(options: &[AssociationOptions]) -> Result<Vec<Association>, ConfigError> {
    let associations: Vec<Association> = options.iter().map(Association::check).collect::<Result<_, _>>()?;
    let (mut ids, mut interfaces) = (BTreeSet::new(), BTreeSet::new());
    for Association { id, interface, .. } in &associations {
        if !ids.insert(id) {
            return Err(ConfigError::Duplicate { option: "association.id", value: id.clone() });
        }
        if !interfaces.insert(interface) {
            let value = interface.to_string();
            return Err(ConfigError::Duplicate { option: "association.interface", value });
        }
    }
    Ok(associations)
}

impl Association {
    fn check(options: &AssociationOptions) -> Result<Self, ConfigError> {
        let missing = |option, meaning| ConfigError::Missing { option, meaning };
        Ok(Self {
            id: options.id.clone().ok_or(missing("association.id", "a name for it"))?,
            interface: parse("association.interface", options.interface.as_deref())?
                .ok_or(missing("association.interface", "the interface behind which the network lies"))?,
            translation: Translation::check(options.nat.as_deref().unwrap_or_default())?,
        })
    }
}

impl Translation {
    fn check(given: &[String]) -> Result<Self, ConfigError> {
        match given {
            [] => Ok(Self::Masquerade),
            [word] if word == "masquerade" => Ok(Self::Masquerade),
            [word] if word == "none" => Ok(Self::None),
            addresses => Self::check_addresses(addresses),
        }
    }

    fn check_addresses(texts: &[String]) -> Result<Self, ConfigError> {
        let address = |text: &String| {
            text.parse().map_err(|_| ConfigError::InvalidValue {
                option: "association.nat",
                value: text.clone(),
                problem: InvalidValue::NotIpAddress,
            })
        };
        let addresses: Vec<IpAddr> = texts.iter().map(address).collect::<Result<_, _>>()?;
        let of_v6 = addresses.iter().filter(|address| address.is_ipv6()).count();
        if of_v6 > 1 || addresses.len() - of_v6 > 1 {
            return Err(ConfigError::TooMany { option: "association.nat", given: texts.len(), maximum: 2 });
        }
        Ok(Self::Source(addresses))
    }
}

impl From<&Association> for AssociationOptions {
    fn from(association: &Association) -> Self {
        let nat = match &association.translation {
            Translation::Masquerade => vec!["masquerade".to_owned()],
            Translation::None => vec!["none".to_owned()],
            Translation::Source(addresses) => addresses.iter().map(ToString::to_string).collect(),
        };
        Self {
            id: Some(association.id.clone()),
            interface: Some(association.interface.to_string()),
            nat: Some(nat),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Options};
    use super::*;

    #[test]
    fn an_association_says_how_clients_appear() {
        let config = config(
            "[[association]]\nid='a'\ninterface='eth1'\n[[association]]\nid='b'\ninterface='eth2'\nnat='none'\n\
             [[association]]\nid='c'\ninterface='eth3'\nnat=['10.7.0.99','fd07::99']\n",
        )
        .unwrap();
        let translations: Vec<_> =
            config.live.associations.iter().map(|association| association.translation.clone()).collect();
        let addresses = vec!["10.7.0.99".parse().unwrap(), "fd07::99".parse().unwrap()];
        assert_eq!(
            translations,
            [Translation::Masquerade, Translation::None, Translation::Source(addresses)]
        );
        let printed = config.to_toml();
        assert_eq!(Config::check(toml::from_str(&printed).unwrap()).unwrap(), config, "{printed}");
    }

    #[test]
    fn every_mistake_has_its_own_message() {
        for (text, message) in [
            ("interface='eth1'", "id is missing"),
            ("id='a'", "interface is missing"),
            ("id='a'\ninterface='eth1'\nnat='some'", "nat some: not an IP address"),
            (
                "id='a'\ninterface='eth1'\nnat=['10.7.0.1','10.7.0.2']",
                "nat is given 2 times, at most 2 are possible",
            ),
            ("id='a'\ninterface='eth1'\n[[association]]\nid='a'\ninterface='eth2'", "id a is given twice"),
            (
                "id='a'\ninterface='eth1'\n[[association]]\nid='b'\ninterface='eth1'",
                "interface eth1 is given twice",
            ),
        ] {
            assert_eq!(config(&format!("[[association]]\n{text}")).unwrap_err().to_string(), message);
        }
    }

    fn config(text: &str) -> Result<Config, ConfigError> {
        let text = format!("pki='p'\nserver-name='s'\nclient-cidr='10.8.0.0/24'\n{text}");
        Config::check(toml::from_str::<Options>(&text).unwrap())
    }
}
