//! A VPN in service: an authority, a server that trusts it, and profiles for its clients.

use std::fs;
use std::time::Duration;

use crate::failure::{Context, Failure, Result};
use crate::host::Host;
use crate::lab::{Lab, SERVER};
use crate::pki::{KeyKind, Pki};
use crate::postern;
use crate::server::{Implementation, Server, ServerPlan};
use crate::stock::client::StockClient;

/// How long a client that the server takes leave of has to hear of it, and to be back.
const TOLD: Duration = Duration::from_secs(60);
const BACK: Duration = Duration::from_secs(60);

/// Everything on the administrator's side of one scenario.
pub struct Vpn<'lab> {
    lab: &'lab Lab,
    implementation: Implementation,
    plan: ServerPlan,
    pki: Pki,
    server: Server,
}

impl<'lab> Vpn<'lab> {
    /// Makes a PKI with certificates for the server and for `clients`, and serves on `lab`. Postern keeps its own PKI;
    /// a stock server has one of easy-rsa.
    pub fn start(
        lab: &'lab Lab,
        implementation: &Implementation,
        clients: &[&str],
        plan: ServerPlan,
    ) -> Result<Self> {
        let directory = lab.scratch().join("pki");
        let pki = match implementation {
            Implementation::Postern(binary) => Pki::by_postern(directory, binary, KeyKind::P256),
            Implementation::Stock => Pki::by_easy_rsa(directory, KeyKind::P256),
        };
        Self::start_with_pki(lab, implementation, pki?, clients, plan)
    }

    /// Issues certificates for the server and for `clients` from `pki`, and serves on `lab`.
    pub fn start_with_pki(
        lab: &'lab Lab,
        implementation: &Implementation,
        pki: Pki,
        clients: &[&str],
        plan: ServerPlan,
    ) -> Result<Self> {
        pki.build_server(&plan.certificate)?;
        clients.iter().try_for_each(|client| pki.build_client(client))?;
        Ok(Self {
            server: Server::start(implementation, lab.server(), &pki, &plan)?,
            lab,
            implementation: implementation.clone(),
            plan,
            pki,
        })
    }

    /// The authority.
    #[must_use]
    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    /// The server.
    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    /// Starts the server again, as it was, after it was stopped or killed.
    pub fn start_server_again(&mut self) -> Result<()> {
        self.server = Server::start(&self.implementation, self.lab.server(), &self.pki, &self.plan)?;
        Ok(())
    }

    /// Stops the server, which has to tell `client`, and starts it again; the client has to come back by itself.
    pub fn restart_under(&mut self, client: &StockClient<'_>) -> Result<()> {
        let mark = client.log().mark();
        if !self.server.stop()?.success() {
            return Err(Failure::new("the server did not end well"));
        }
        // Nothing else makes it say so.
        client.log().wait_for_since(mark, "server-pushed-connection-reset", TOLD)?;
        self.start_server_again()?;
        client.wait_connected_since(mark, BACK).map(drop)
    }

    /// The profile that the administrator hands to the holder of certificate `name`.
    pub fn profile(&self, name: &str) -> Result<String> {
        match &self.implementation {
            Implementation::Postern(binary) => postern::export(binary, &self.pki, name, self.plan.port),
            Implementation::Stock => self.pki.handmade_profile(name, SERVER, self.plan.port),
        }
    }

    /// Connects `host` as `name`, with further options of the client, and waits until its tunnel is up.
    pub fn connect<'host>(
        &self,
        host: &'host Host,
        name: &str,
        options: &[&str],
    ) -> Result<StockClient<'host>> {
        StockClient::connect(host, &self.profile(name)?, options)
    }

    /// Puts `text` in the place of the revocation list, as a careful administrator does: by rename.
    pub fn replace_crl(&self, text: impl AsRef<[u8]>) -> Result<()> {
        let draft = self.pki.crl().with_extension("draft");
        fs::write(&draft, text).context("writing a revocation list")?;
        fs::rename(&draft, self.pki.crl()).context("replacing the revocation list")
    }
}
