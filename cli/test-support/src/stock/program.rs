//! Which `openvpn` runs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{self, tool};
use crate::failure::{Context, Failure, Result};

/// What the program prints about its protocol abilities.
const ABILITIES: &[u8] = b"IV_PROTO=%d\n\0";

/// An `openvpn` program.
#[derive(Clone, Debug)]
pub struct Program(PathBuf);

impl Program {
    /// The distribution's, found as a shell finds it.
    #[must_use]
    pub fn stock() -> Self {
        Self("openvpn".into())
    }

    /// The client that `INTEROP_CLIENT` names, to try one that was built by hand, or the distribution's.
    #[must_use]
    pub fn client() -> Self {
        std::env::var_os("INTEROP_CLIENT").map_or_else(Self::stock, |path| Self(path.into()))
    }

    /// Its version, such as 2.6.14.
    pub fn version(&self) -> Result<String> {
        let mut command = tool(&self.0);
        command.arg("--version");
        // Old ones end with 1 after they have said it.
        let said = command::finish(command)?.stdout;
        let version = said.split_whitespace().nth(1).map(str::to_owned);
        version.ok_or_else(|| Failure::new(format!("{} does not say its version", self.0.display())))
    }

    /// A copy of the distribution's in `directory` that announces only what a 2.4 client can do: data packets with a
    /// peer id. It cannot be told so by an option, so the text that it prints is replaced in the copy.
    ///
    /// The server must then wait for the push request and derive the data keys with the TLS 1.0 PRF; the client
    /// does so with its own unmodified code.
    pub fn with_the_abilities_of_2_4(directory: &Path) -> Result<Self> {
        let original = succeed_in_locating("openvpn")?;
        let mut image = fs::read(&original).context("reading the openvpn program")?;
        let places: Vec<usize> = image
            .windows(ABILITIES.len())
            .enumerate()
            .filter(|(_, window)| *window == ABILITIES)
            .map(|(at, _)| at)
            .collect();
        let [at] = places[..] else {
            return Err(Failure::new(format!(
                "{original} announces its abilities in {} places",
                places.len()
            )));
        };
        image[at..at + ABILITIES.len()].copy_from_slice(b"IV_PROTO=2\n\0\0");
        let (draft, copy) = (directory.join("openvpn-2.4-draft"), directory.join("openvpn-2.4-abilities"));
        fs::write(&draft, image).context("writing the copy")?;
        // Descriptors of ours are inherited by whatever another test starts meanwhile, and a file that anybody has open
        // for writing is not executed.
        let mut install = tool("install");
        install.args(["--mode", "755"]).args([&draft, &copy]);
        command::succeed(install)?;
        Ok(Self(copy))
    }

    /// The path or name to run.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

fn succeed_in_locating(program: &str) -> Result<String> {
    let mut command = tool("sh");
    command.args(["-c", "command -v \"$1\"", "sh", program]);
    Ok(command::succeed(command)?.trim_end().to_owned())
}
