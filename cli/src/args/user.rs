//! `postern user`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use crate::passphrase::PassphraseArgument;

#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user; the file is made if there is none
    Add(WithPassword),
    /// Change the password of a user
    Passwd(WithPassword),
    /// Give a user a new secret for one-time codes; the link that apps take is printed
    Totp(OneTimeCodes),
    /// Delete a user; tokens of this user are worth nothing any longer
    Delete(OneUser),
    /// List the users
    List(UserFile),
}

#[derive(Args)]
pub(crate) struct UserFile {
    /// The file with the users, as `postern serve --users` reads it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) users: PathBuf,
}

#[derive(Args)]
pub(crate) struct OneUser {
    #[command(flatten)]
    pub(crate) file: UserFile,
    /// The name of the user
    pub(crate) name: String,
}

#[derive(Args)]
pub(crate) struct OneTimeCodes {
    /// The file with the secrets, as `postern serve --one-time-secrets` reads it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) secrets: PathBuf,
    /// What apps call the server
    #[arg(long, value_name = "NAME", default_value = "Postern VPN")]
    pub(crate) issuer: String,
    /// Draw the link as a QR code for the camera of a phone, too
    #[arg(long)]
    pub(crate) qr: bool,
    /// The name of the user, as it is typed at the login
    pub(crate) name: String,
}

#[derive(Args)]
pub(crate) struct WithPassword {
    #[command(flatten)]
    pub(crate) user: OneUser,
    /// Where the password comes from: pass:TEXT, file:PATH, env:NAME, fd:NUMBER or stdin [default: somebody is asked]
    #[arg(long, value_name = "SOURCE")]
    pub(crate) password: Option<PassphraseArgument>,
}
