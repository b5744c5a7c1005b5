//! A certificate authority for a scenario, kept by real easy-rsa or by Postern in its place.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, Finished};
use crate::failure::{Context, Failure, Result};

/// Where Debian's and Ubuntu's packages put easy-rsa; it is not in PATH.
pub const EASY_RSA: &str = "/usr/share/easy-rsa/easyrsa";

/// The kinds of keys that clients and servers of the field use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA, 2048 bits.
    Rsa2048,
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// Ed25519.
    Ed25519,
}

impl KeyKind {
    /// As global options of easy-rsa.
    fn options(self) -> [&'static str; 2] {
        match self {
            Self::Rsa2048 => ["--use-algo=rsa", "--keysize=2048"],
            Self::P256 => ["--use-algo=ec", "--curve=prime256v1"],
            Self::P384 => ["--use-algo=ec", "--curve=secp384r1"],
            Self::Ed25519 => ["--use-algo=ed", "--curve=ed25519"],
        }
    }
}

/// The PKI directory and the program that keeps it, spoken to in easy-rsa's grammar.
pub struct Pki {
    directory: PathBuf,
    program: PathBuf,
    keys: KeyKind,
}

impl Pki {
    /// A new authority in `directory`, kept by the distribution's easy-rsa.
    pub fn by_easy_rsa(directory: impl Into<PathBuf>, keys: KeyKind) -> Result<Self> {
        Self::found(directory.into(), EASY_RSA.into(), keys)
    }

    /// A new authority in `directory`, kept by the `postern` binary under the name of easyrsa.
    pub fn by_postern(directory: impl Into<PathBuf>, postern: &Path, keys: KeyKind) -> Result<Self> {
        let directory = directory.into();
        let drop_in = directory.with_extension("bin").join("easyrsa");
        fs::create_dir_all(drop_in.with_file_name("")).context("making a directory for the drop-in")?;
        std::os::unix::fs::symlink(postern, &drop_in).context("linking the drop-in")?;
        Self::found(directory, drop_in, keys)
    }

    fn found(directory: PathBuf, program: PathBuf, keys: KeyKind) -> Result<Self> {
        let pki = Self { directory, program, keys };
        pki.run(["init-pki"])?;
        pki.run(["--req-cn=Test CA", "build-ca", "nopass"])?;
        Ok(pki)
    }

    /// Issues a server certificate.
    pub fn build_server(&self, name: &str) -> Result<()> {
        self.run(["build-server-full", name, "nopass"])
    }

    /// Issues a client certificate.
    pub fn build_client(&self, name: &str) -> Result<()> {
        self.run(["build-client-full", name, "nopass"])
    }

    /// Records a certificate as revoked. Takes effect with the next CRL.
    pub fn revoke(&self, name: &str) -> Result<()> {
        self.run(["revoke", name])
    }

    /// Writes a fresh revocation list.
    pub fn gen_crl(&self) -> Result<()> {
        self.run(["gen-crl"])
    }

    /// Runs one command of the keeper, preceded by its options, which must succeed.
    pub fn run<const N: usize>(&self, arguments: [&str; N]) -> Result<()> {
        command::finish(self.command(arguments)).and_then(Finished::success).map(drop)
    }

    fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = command::tool(&self.program);
        command
            .arg("--batch")
            .arg(format!("--pki-dir={}", self.directory.display()))
            .args(self.keys.options())
            .args(arguments);
        command
    }

    /// The PKI directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The authority's certificate.
    #[must_use]
    pub fn ca_certificate(&self) -> PathBuf {
        self.directory.join("ca.crt")
    }

    /// The certificate issued under `name`.
    #[must_use]
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.directory.join("issued").join(format!("{name}.crt"))
    }

    /// The private key that belongs to it.
    #[must_use]
    pub fn private_key(&self, name: &str) -> PathBuf {
        self.directory.join("private").join(format!("{name}.key"))
    }

    /// The revocation list.
    #[must_use]
    pub fn crl(&self) -> PathBuf {
        self.directory.join("crl.pem")
    }

    /// A complete profile put together from the files, as an administrator does with an editor.
    pub fn handmade_profile(&self, name: &str, remote: impl std::fmt::Display, port: u16) -> Result<String> {
        let ca = last_pem_block(&self.ca_certificate())?;
        let certificate = last_pem_block(&self.certificate(name))?;
        let key = last_pem_block(&self.private_key(name))?;
        Ok(format!(
            "client\ndev tun\nproto udp\nremote {remote} {port}\nnobind\nremote-cert-tls server\n\
             <ca>\n{ca}</ca>\n<cert>\n{certificate}</cert>\n<key>\n{key}</key>\n"
        ))
    }
}

/// The last PEM block of a file: easy-rsa writes a description before it.
fn last_pem_block(file: &Path) -> Result<String> {
    let text = fs::read_to_string(file).context(format!("reading {}", file.display()))?;
    let begin =
        text.rfind("-----BEGIN").ok_or_else(|| Failure::new(format!("no PEM in {}", file.display())))?;
    Ok(format!("{}\n", text[begin..].trim_end()))
}
