//! Many certificates at once: keys are made on all processors, and a batch of rows shares one change of the directory.
//!
//! Each row is there as a whole or not at all, and one that cannot be issued does not hold up the others.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::issue::{Prepared, prepare};
use super::signing::Signing;
use super::{Authority, Context, Issue, Issued};
use crate::cert::Certificate;
use crate::error::PkiError;
use crate::random::{RandomError, RandomSource};
use crate::store::{ChangeSet, LockedStore};

impl Authority {
    /// Issues a certificate for each request and answers in their order. `progress` hears how many are done.
    ///
    /// # Errors
    /// What unlocking the CA key answers; everything else is the outcome of a row. The rows of a batch whose change could
    /// not be written share its error.
    pub fn issue_many(
        &self,
        requests: &[Issue],
        context: &mut Context<'_>,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Result<Issued, PkiError>>, PkiError> {
        let Some(first) = requests.first() else {
            return Ok(Vec::new());
        };
        let signing = self.unlock(first.digest, context)?;
        let mut outcomes = Vec::with_capacity(requests.len());
        for batch in requests.chunks(BATCH) {
            outcomes.extend(self.issue_batch(batch, &signing, context));
            progress(outcomes.len());
        }
        Ok(outcomes)
    }

    fn issue_batch(
        &self,
        batch: &[Issue],
        signing: &Signing,
        context: &mut Context<'_>,
    ) -> Vec<Result<Issued, PkiError>> {
        let prepared = self.prepare_batch(batch, signing, context);
        let locked = match self.store.lock(&self.settings.lock) {
            Ok(locked) => locked,
            Err(failure) => return fail_all(prepared, &failure.into()),
        };
        self.write_batch(&locked, batch, prepared, signing, context)
    }

    /// Everything that takes processor time, on all of them.
    fn prepare_batch(
        &self,
        batch: &[Issue],
        signing: &Signing,
        context: &mut Context<'_>,
    ) -> Vec<Result<Ready, PkiError>> {
        let mut work = Vec::with_capacity(batch.len());
        for request in batch {
            work.push((request, Drawn::new(context.random)));
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = work.len().div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            let mut running = Vec::with_capacity(threads);
            while !work.is_empty() {
                let part: Vec<_> = work.drain(..share.min(work.len())).collect();
                running.push(scope.spawn(move || {
                    let make = |(request, drawn): (&Issue, _)| self.make_ready(request, drawn, signing);
                    part.into_iter().map(make).collect::<Vec<_>>()
                }));
            }
            let finished = running
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            finished.flatten().collect()
        })
    }

    fn make_ready(
        &self,
        request: &Issue,
        drawn: Result<Drawn, RandomError>,
        signing: &Signing,
    ) -> Result<Ready, PkiError> {
        let mut drawn = drawn?;
        self.require_free_name(&request.name)?;
        let prepared = prepare(request, self.settings.profile, &mut drawn)?;
        let serial = self.next_serial(request.serial_numbers, &mut drawn)?;
        let certificate = self.certify(request, &prepared, &serial, signing)?;
        Ok(Ready { prepared, certificate })
    }

    fn write_batch(
        &self,
        locked: &LockedStore<'_>,
        batch: &[Issue],
        prepared: Vec<Result<Ready, PkiError>>,
        signing: &Signing,
        context: &Context<'_>,
    ) -> Vec<Result<Issued, PkiError>> {
        let mut changes = ChangeSet::default();
        let mut names = BTreeSet::new();
        let mut made = Vec::new();
        let mut outcomes = Vec::with_capacity(batch.len());
        for (request, ready) in batch.iter().zip(prepared) {
            let ready = ready.and_then(|ready| {
                self.require_free_in(request, &mut names)?;
                Ok(ready)
            });
            outcomes.push(ready.map(|ready| {
                self.add_files(request, &ready.prepared, &ready.certificate, &mut changes);
                made.push(ready.certificate.clone());
                self.described(&request.name, &ready.certificate, signing)
            }));
        }
        let written =
            self.finish_batch(&made, context, &mut changes).and_then(|()| Ok(locked.commit(changes)?));
        match written {
            Ok(()) => outcomes,
            Err(failure) => fail_all(outcomes, &failure),
        }
    }

    /// Looks again under the lock, and at the rows before this one.
    fn require_free_in<'r>(&self, request: &'r Issue, names: &mut BTreeSet<&'r str>) -> Result<(), PkiError> {
        self.require_free_name(&request.name)?;
        self.require_free_subject(request)?;
        if names.insert(request.name.as_str()) {
            return Ok(());
        }
        let path = crate::store::layout::certificate(&request.name);
        Err(PkiError::NameTaken { found: self.store.full_path(&path) })
    }

    fn finish_batch(
        &self,
        made: &[Certificate],
        context: &Context<'_>,
        changes: &mut ChangeSet,
    ) -> Result<(), PkiError> {
        if let Some(last) = made.last() {
            self.add_next_serial(last, changes);
            self.record_issued(made, context.now, changes)?;
        }
        Ok(())
    }
}

/// A certificate that only has to be written.
struct Ready {
    prepared: Prepared,
    certificate: Certificate,
}

/// The whole batch failed for one reason, of which each row gets an account.
fn fail_all<T>(outcomes: Vec<Result<T, PkiError>>, failure: &PkiError) -> Vec<Result<Issued, PkiError>> {
    let explain = |outcome: Result<T, PkiError>| match outcome {
        Ok(_) => Err(PkiError::BatchFailed { reason: failure.to_string() }),
        Err(own) => Err(own),
    };
    outcomes.into_iter().map(explain).collect()
}

/// Random octets drawn in advance, so that several threads can use one source.
struct Drawn {
    octets: Zeroizing<Vec<u8>>,
    used: usize,
}

impl Drawn {
    fn new(random: &mut dyn RandomSource) -> Result<Self, RandomError> {
        let mut octets = Zeroizing::new(vec![0; ENOUGH]);
        random.fill(&mut octets)?;
        Ok(Self { octets, used: 0 })
    }
}

impl RandomSource for Drawn {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RandomError> {
        let end = self.used + buffer.len();
        buffer.copy_from_slice(self.octets.get(self.used..end).ok_or(RandomError)?);
        self.used = end;
        Ok(())
    }
}

/// Rows of one change: more make it slower to undo, fewer make the disk wait more often.
const BATCH: usize = 125;

/// For a key on the largest curve, a salt and a serial number, each drawn several times.
const ENOUGH: usize = 1024;
