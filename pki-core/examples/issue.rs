//! Makes an authority and certificates in a directory: `cargo run --package pki-core --example issue -- DIRECTORY NAME...`
//!
//! The directory is easy-rsa's: `easyrsa --pki=DIRECTORY show-cert NAME` goes on with it.
#![expect(clippy::print_stdout, reason = "the answer is what this program is for")]

use std::error::Error;
use std::path::Path;
use std::time::SystemTime;

use pki_core::Authority;
use pki_core::ca::{BuildCa, CertificateForm, Context, Init, Issue, Settings, init};
use pki_core::cert::CertificateKind;
use pki_core::cert::build::Validity;
use pki_core::key::Protection;
use pki_core::name::{CommonName, FileBase};
use pki_core::random::SystemSource;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("usage: issue DIRECTORY NAME...")?;
    let directory = Path::new(&directory);
    let mut context = Context {
        now: SystemTime::now().into(),
        random: &mut SystemSource::new(),
        passphrases: &mut |key| Err(format!("this example knows no passphrase for {key}")),
    };
    if !directory.exists() {
        init(directory, &Init::default())?;
        let request = BuildCa::new(CommonName::parse("Example CA")?, Protection::None);
        Authority::open(directory, Settings::default())?.build_ca(&request, &mut context)?;
    }
    let authority = Authority::open(directory, Settings::default())?;
    for name in arguments {
        let validity = Validity::days_from(context.now, 825)?;
        let mut request = Issue::new(CertificateKind::Client, FileBase::parse(&name)?, validity);
        request.form = CertificateForm { text: true, inline: false };
        let issued = authority.issue(&request, &mut context)?;
        println!("{} until {}: {}", issued.serial, issued.not_after, issued.certificate.display());
    }
    Ok(())
}
