//! Taking over a directory of easy-rsa 2, where everything lies beside everything: into a new directory of the present
//! layout, in one change. The old directory is only read.

mod vars;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::init::new_store;
use super::records::{Record, RecordState, Records};
use super::{PkiError, Store, open_store};
use crate::cert::Certificate;
use crate::name::FileBase;
use crate::serial::Serial;
use crate::store::{ChangeSet, FileMode, LockPolicy, PkiPath, layout};
use crate::time::Timestamp;

/// A request to take over a directory of easy-rsa 2.
#[derive(Default)]
pub struct Convert {
    /// Waiting for other commands in the new directory.
    pub lock: LockPolicy,
    /// Content of easy-rsa 2's `vars` file, whose settings the new PKI shall keep.
    pub vars: Option<String>,
}

/// What has been taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The new PKI directory.
    pub directory: PathBuf,
    /// Certificates in force.
    pub valid: usize,
    /// Revoked certificates.
    pub revoked: usize,
    /// What has been left out, and why.
    pub left_out: Vec<LeftOut>,
}

/// Something that has no place in the new directory; it still lies in the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// A file, or a setting of `vars`.
    pub what: String,
    /// Why.
    pub reason: &'static str,
}

/// Makes a PKI in a new or empty directory out of `keys`, the `keys` directory of easy-rsa 2.
///
/// # Errors
/// [`PkiError::NoPki`] if there is no such directory, [`PkiError::NotEasyRsa2`] if it is another kind of directory;
/// [`PkiError::PkiExists`] if the new one holds anything; [`PkiError::Store`].
pub fn convert(
    keys: &Path,
    directory: &Path,
    request: &Convert,
    now: Timestamp,
) -> Result<Converted, PkiError> {
    let source = open_store(keys)?;
    if !is_easy_rsa_2(&source)? {
        return Err(PkiError::NotEasyRsa2 { directory: keys.to_path_buf() });
    }
    let target = new_store(directory)?;
    let locked = target.lock(&request.lock)?;
    let mut conversion = Conversion::new(&source)?;
    conversion.add_authority()?;
    conversion.add_certificates()?;
    conversion.add_copies()?;
    conversion.add_requests()?;
    conversion.add_server_files()?;
    conversion.add_vars(request.vars.as_deref());
    let Conversion { changes, records, left_out, .. } = conversion;
    locked.commit(changes)?;
    let count = |is_meant: fn(RecordState) -> bool| {
        records.records.iter().filter(|record| is_meant(record.state(now))).count()
    };
    Ok(Converted {
        directory: directory.to_path_buf(),
        valid: count(|state| state == RecordState::Valid),
        revoked: count(|state| state == RecordState::Revoked),
        left_out,
    })
}

/// Whether a directory has the files of easy-rsa 2 and none of its successors' directories.
pub(super) fn is_easy_rsa_2(store: &Store) -> Result<bool, PkiError> {
    for file in ["ca.crt", "ca.key", "index.txt", "serial"] {
        if !store.exists(&old(file))? {
            return Ok(false);
        }
    }
    Ok(!store.exists(&layout::private_directory())?)
}

struct Conversion<'a> {
    source: &'a Store,
    entries: Vec<String>,
    records: Records,
    changes: ChangeSet,
    /// What has its place, so that nothing gets two.
    taken: HashSet<PkiPath>,
    left_out: Vec<LeftOut>,
}

impl<'a> Conversion<'a> {
    fn new(source: &'a Store) -> Result<Self, PkiError> {
        let index = source.read(&layout::index())?.unwrap_or_default();
        let mut changes = ChangeSet::default();
        let directories = layout::initial_directories().into_iter().chain(layout::authority_directories());
        let mut made = HashSet::new();
        directories.filter(|path| made.insert(path.clone())).for_each(|path| changes.directory(path));
        Ok(Self {
            source,
            entries: source.entries("")?,
            records: Records::parse(&index),
            changes,
            taken: HashSet::new(),
            left_out: Vec::new(),
        })
    }

    fn add_authority(&mut self) -> Result<(), PkiError> {
        self.copy("ca.crt", layout::authority_certificate(), FileMode::Public)?;
        self.copy_secret("ca.key", layout::authority_key())?;
        self.copy("crl.pem", layout::revocation_list(), FileMode::Public)?;
        self.copy("index.txt", layout::index(), FileMode::Private)?;
        self.copy("index.txt.attr", layout::index_attributes(), FileMode::Private)?;
        self.copy("serial", layout::serial(), FileMode::Private)
    }

    /// Every NAME.crt with its key and request, to the place that its row says.
    fn add_certificates(&mut self) -> Result<(), PkiError> {
        let known: HashMap<Serial, bool> = self
            .records
            .records
            .iter()
            .map(|record| (record.serial.clone(), record.revoked.is_some()))
            .collect();
        for stem in self.stems(".crt") {
            let file = format!("{stem}.crt");
            let text = self.source.read(&old(&file))?.unwrap_or_default();
            let Ok(certificate) = Certificate::from_pem(&text) else {
                self.leave_out(file, "it holds no certificate");
                continue;
            };
            let serial = certificate.serial();
            match (FileBase::parse(&stem), known.get(&serial)) {
                (Err(_), _) => self.leave_out(file, "its name is not one that a file may have here"),
                (_, None) => self.leave_out(file, "index.txt has no row for it"),
                (Ok(_), Some(true)) => self.place(&stem, layout::revoked_files(&serial))?,
                (Ok(name), Some(false)) => self.place(&stem, current_files(&name))?,
            }
        }
        Ok(())
    }

    /// Certificate, key and request of one name.
    fn place(&mut self, stem: &str, [certificate, key, request]: [PkiPath; 3]) -> Result<(), PkiError> {
        if self.taken.contains(&certificate) {
            self.leave_out(format!("{stem}.crt"), "another file holds the same certificate");
            return Ok(());
        }
        self.copy(&format!("{stem}.crt"), certificate, FileMode::Private)?;
        self.copy_secret(&format!("{stem}.key"), key)?;
        self.copy(&format!("{stem}.csr"), request, FileMode::Private)
    }

    /// SERIAL.pem of every row; it is also the certificate of a name whose own file is lost.
    fn add_copies(&mut self) -> Result<(), PkiError> {
        let records = std::mem::take(&mut self.records.records);
        for record in &records {
            let copy = format!("{}.pem", record.serial);
            self.copy(&copy, layout::certificate_by_serial(&record.serial), FileMode::Private)?;
            self.replace_lost(record, &copy)?;
        }
        self.records.records = records;
        Ok(())
    }

    fn replace_lost(&mut self, record: &Record, copy: &str) -> Result<(), PkiError> {
        let place = match FileBase::parse(&record.common_name) {
            _ if record.revoked.is_some() => layout::revoked_certificate(&record.serial),
            Ok(name) => layout::certificate(&name),
            Err(_) => return Ok(()),
        };
        if self.taken.contains(&place) { Ok(()) } else { self.copy(copy, place, FileMode::Private) }
    }

    /// Keys and requests that were never signed here.
    fn add_requests(&mut self) -> Result<(), PkiError> {
        for stem in self.stems(".csr") {
            let Ok(name) = FileBase::parse(&stem) else {
                self.leave_out(format!("{stem}.csr"), "its name is not one that a file may have here");
                continue;
            };
            if !self.entries.contains(&format!("{stem}.crt")) {
                let [_, key, request] = current_files(&name);
                self.copy_secret(&format!("{stem}.key"), key)?;
                self.copy(&format!("{stem}.csr"), request, FileMode::Private)?;
            }
        }
        Ok(())
    }

    /// What a server needs beside its certificate.
    fn add_server_files(&mut self) -> Result<(), PkiError> {
        let size = |name: &String| {
            name.strip_prefix("dh")?
                .strip_suffix(".pem")?
                .parse::<u32>()
                .ok()
                .map(|bits| (bits, name.clone()))
        };
        if let Some((_, largest)) = self.entries.iter().filter_map(size).max() {
            self.copy(&largest, layout::dh_parameters(), FileMode::Private)?;
        }
        if let Some(key) = self.source.read(&old("ta.key"))?.map(zeroize::Zeroizing::new) {
            let marked = zeroize::Zeroizing::new([b"# Easy-RSA TLS-AUTH Key\n", key.as_slice()].concat());
            self.changes.replace_secret(layout::tls_key(), marked);
        }
        Ok(())
    }

    fn add_vars(&mut self, text: Option<&str>) {
        let Some(text) = text else { return };
        let converted = vars::convert(text);
        self.changes.create(layout::vars(), FileMode::Private, converted.text);
        for setting in converted.left_out {
            self.leave_out(setting, "its value needs a shell");
        }
    }

    fn copy(&mut self, from: &str, to: PkiPath, mode: FileMode) -> Result<(), PkiError> {
        if let Some(content) = self.source.read(&old(from))?
            && self.taken.insert(to.clone())
        {
            self.changes.create(to, mode, content);
        }
        Ok(())
    }

    fn copy_secret(&mut self, from: &str, to: PkiPath) -> Result<(), PkiError> {
        if let Some(content) = self.source.read(&old(from))?.map(zeroize::Zeroizing::new)
            && self.taken.insert(to.clone())
        {
            self.changes.replace_secret(to, content);
        }
        Ok(())
    }

    /// Names of files with this ending, without it; the authority's own are no names.
    fn stems(&self, ending: &str) -> Vec<String> {
        let stems = self.entries.iter().filter_map(|name| name.strip_suffix(ending));
        stems.filter(|stem| *stem != "ca").map(str::to_owned).collect()
    }

    fn leave_out(&mut self, what: String, reason: &'static str) {
        self.left_out.push(LeftOut { what, reason });
    }
}

fn current_files(name: &FileBase) -> [PkiPath; 3] {
    [layout::certificate(name), layout::private_key(name), layout::request(name)]
}

/// A file of the old directory, whose names the file system gave.
fn old(name: &str) -> PkiPath {
    PkiPath::within("", "", name)
}
