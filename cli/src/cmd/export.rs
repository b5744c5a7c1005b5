//! `postern export`: one client's profile, in the form that was asked for.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use pki_core::bundle::archive::{self, Entry};
use pki_core::bundle::onc;
use pki_core::bundle::ovpn::{ClientIdentity, ClientProfile, ContainerName, ProfileError, ProfileKey};
use pki_core::bundle::pkcs12::{self, Compatibility};
use pki_core::cert::Certificate;
use pki_core::name::FileBase;
use pki_core::secret::{Passphrase, SecretBytes};
use serde_json::{Value, json};

use super::Session;
use super::new_file::write_new;
use super::profile::{IdentityKey, Ingredients, Terms};
use crate::args::export::{ExportArgs, FormatArgument};
use crate::args::profile::ClientArgument;
use crate::error::CliError;
use crate::output::Answer;

pub(super) fn run(session: &Session, arguments: &ExportArgs) -> Result<Answer, CliError> {
    let format = format(arguments)?;
    let name = arguments.name.as_deref().map(FileBase::parse).transpose()?;
    let terms = Terms::parse(session, &arguments.profile, name.as_ref(), None)?;
    let authority = session.open()?;
    let is_unlocked = match format {
        FormatArgument::Onc | FormatArgument::P12 => true,
        FormatArgument::Ovpn | FormatArgument::Zip => arguments.profile.decrypt_key,
    };
    let ingredients = match &name {
        Some(name) if !arguments.without_key => {
            Ingredients::of_client(session, &authority, name, is_unlocked)?
        }
        Some(name) => {
            authority.issued_certificate(name)?;
            Ingredients::of_everybody(&authority)?
        }
        None => Ingredients::of_everybody(&authority)?,
    };
    let order = Order { session, arguments, name: name.as_ref(), ingredients: &ingredients };
    match format {
        FormatArgument::Ovpn => order.text(&ingredients.to_profile(terms).to_text()?),
        FormatArgument::Onc => order.onc(&ingredients.to_profile(terms)),
        FormatArgument::P12 => order.with_container(ingredients.to_profile(terms)),
        FormatArgument::Zip => order.archive(&ingredients.to_profile(terms)),
    }
}

/// ChromeOS has a format of its own, and only ChromeOS has it.
fn format(arguments: &ExportArgs) -> Result<FormatArgument, CliError> {
    let is_chrome_os = arguments.profile.client == ClientArgument::ChromeOsOnc;
    match (arguments.format, arguments.profile.client) {
        (None | Some(FormatArgument::Onc), ClientArgument::ChromeOsOnc) => Ok(FormatArgument::Onc),
        (Some(FormatArgument::Onc), ClientArgument::Any) => Ok(FormatArgument::Onc),
        (Some(FormatArgument::Onc), _) => {
            Err(CliError::Usage("ONC is for ChromeOS only; leave --for or --format out".into()))
        }
        (Some(_), _) if is_chrome_os => Err(CliError::Usage("ChromeOS takes ONC only".into())),
        (Some(format), _) => Ok(format),
        (None, _) => Ok(FormatArgument::Ovpn),
    }
}

/// One export.
struct Order<'a> {
    session: &'a Session,
    arguments: &'a ExportArgs,
    name: Option<&'a FileBase>,
    ingredients: &'a Ingredients,
}

impl Order<'_> {
    fn text(&self, text: &str) -> Result<Answer, CliError> {
        let Some(path) = &self.arguments.output else {
            if self.ingredients.identity.is_some() && std::io::stdout().is_terminal() {
                let warning =
                    "warning: this profile holds a private key; --output FILE keeps it off the screen";
                self.session.output.note(warning);
            }
            return Ok(answer(text.to_owned(), json!({ "profile": text })));
        };
        write_new(path, text)?;
        Ok(written(&[path]))
    }

    fn onc(&self, profile: &ClientProfile<'_>) -> Result<Answer, CliError> {
        let name = self.name.ok_or(ProfileError::NoIdentity)?;
        self.text(&onc::write(profile, &format!("{} ({name})", profile.remote.host))?)
    }

    /// The container is written first: a profile without it would be of no use.
    fn with_container(&self, profile: ClientProfile<'_>) -> Result<Answer, CliError> {
        let path = self.required_output("p12")?;
        let (container_path, container_name) = container_beside(path)?;
        let identity = profile.identity.as_ref().ok_or(ProfileError::NoIdentity)?;
        let chain = identity.chain;
        let identity = ClientIdentity { chain, key: ProfileKey::InContainer(container_name) };
        let text = ClientProfile { identity: Some(identity), ..profile }.to_text()?;
        write_new(&container_path, self.container(chain)?.expose())?;
        if let Err(error) = write_new(path, text.as_str()) {
            // The profile is what was asked for; that its companion could not be removed would not change the answer.
            let _ = std::fs::remove_file(&container_path);
            return Err(error);
        }
        Ok(written(&[path, &container_path]))
    }

    fn container(&self, chain: &[Certificate]) -> Result<SecretBytes, CliError> {
        let Some(IdentityKey::Unlocked(key)) =
            self.ingredients.identity.as_ref().map(|identity| &identity.key)
        else {
            return Err(ProfileError::NoIdentity.into());
        };
        let chain: Vec<&Certificate> = chain.iter().chain(&self.ingredients.authorities).collect();
        let friendly_name = self.name.map(FileBase::as_str);
        let contents = pkcs12::Contents { friendly_name, key: Some(key), chain: &chain };
        let passphrase = self.container_passphrase()?;
        let container = pkcs12::write(&contents, passphrase.as_ref(), Compatibility::Modern);
        Ok(container.map_err(ProfileError::from)?)
    }

    fn container_passphrase(&self) -> Result<Option<Passphrase>, CliError> {
        if self.arguments.nopass {
            return Ok(None);
        }
        self.session.new_passphrase("New passphrase of the PKCS#12 file: ").map(Some)
    }

    fn archive(&self, profile: &ClientProfile<'_>) -> Result<Answer, CliError> {
        let path = self.required_output("zip")?;
        let text = profile.to_text()?;
        let authorities: String = profile.authorities.iter().map(Certificate::to_pem).collect();
        let chain = profile.identity.as_ref().map(|identity| identity.chain).unwrap_or_default();
        let certificates: String = chain.iter().map(Certificate::to_pem).collect();
        let stem = self.name.map_or("client", FileBase::as_str);
        let read_me = read_me(stem, &profile.remote.host.to_string(), !chain.is_empty());
        let entry = |name: &str, content, is_secret| Entry { name: name.to_owned(), content, is_secret };
        let mut entries = vec![
            entry("README.txt", read_me.as_bytes(), false),
            entry(&format!("{stem}.ovpn"), text.as_bytes(), true),
            entry("ca.crt", authorities.as_bytes(), false),
        ];
        if !certificates.is_empty() {
            entries.push(entry(&format!("{stem}.crt"), certificates.as_bytes(), false));
        }
        let archive = archive::write(&entries, self.session.now).map_err(ProfileError::from)?;
        write_new(path, archive.expose())?;
        Ok(written(&[path]))
    }

    fn required_output(&self, format: &str) -> Result<&PathBuf, CliError> {
        let missing = || CliError::Usage(format!("--format {format} needs --output FILE"));
        self.arguments.output.as_ref().ok_or_else(missing)
    }
}

/// `alice.p12` beside `alice.ovpn`.
fn container_beside(profile: &Path) -> Result<(PathBuf, ContainerName), CliError> {
    let file_name = profile.file_name().unwrap_or_default().to_string_lossy();
    let stem = file_name.strip_suffix(".ovpn").unwrap_or(&file_name);
    let container = format!("{stem}.p12");
    let name = ContainerName::parse(&container)?;
    Ok((profile.with_file_name(container), name))
}

fn read_me(stem: &str, host: &str, has_key: bool) -> String {
    let secret = if has_key {
        "Whoever has the .ovpn file can connect in your name. Keep it where nobody else can read it, and do not pass\n\
         it on; delete this archive when it is unpacked.\n"
    } else {
        "The profile holds no certificate and no key; append yours as <cert> and <key> blocks.\n"
    };
    format!(
        "Your VPN profile for {host}\n\n\
         {stem}.ovpn  the profile: import it into your OpenVPN client, or run: openvpn --config {stem}.ovpn\n\
         ca.crt  the authority of the server, for clients that want it as a file\n\n{secret}"
    )
}

fn written(paths: &[&PathBuf]) -> Answer {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let value = match paths.as_slice() {
        [file] => json!({ "file": file }),
        files => json!({ "files": files }),
    };
    answer(format!("Profile written: {}\n", paths.join(", ")), value)
}

fn answer(text: String, value: Value) -> Answer {
    Answer { text, value, warnings: Vec::new() }
}
