//! Finding paths: from the leaf upwards, through signatures that hold, to a trust anchor.
//!
//! Depth first, anchors before intermediates, candidates whose key identifier fits first. Every complete path is
//! judged; the first acceptable one ends the search. Names only select candidates: signatures decide.

use std::collections::HashMap;

use super::rejection::{Reason, Rejection, Stage};
use super::{Request, VerifiedPath, admission, authority};
use crate::x509::{Certificate, CertificateError, SignatureFailure};

/// The limits of threat model CRT-06, used up by one validation.
#[derive(Debug)]
pub(super) struct Budget {
    signatures: u32,
    steps: u32,
    comparisons: u32,
}

/// A limit was reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exhausted;

pub(super) struct Search<'a> {
    request: &'a Request<'a>,
    candidates: Vec<Candidate<'a>>,
    path: Vec<&'a Certificate>,
    verdicts: HashMap<(*const Certificate, *const Certificate), Result<(), SignatureFailure>>,
    budget: Budget,
    best: Option<Rejection>,
}

#[derive(Clone, Copy)]
struct Candidate<'a> {
    certificate: &'a Certificate,
    is_anchor: bool,
}

impl Budget {
    const fn new() -> Self {
        Self { signatures: 100, steps: 1000, comparisons: 250_000 }
    }

    pub(super) fn take_comparison(&mut self) -> Result<(), Exhausted> {
        take(&mut self.comparisons)
    }
}

fn take(left: &mut u32) -> Result<(), Exhausted> {
    *left = left.checked_sub(1).ok_or(Exhausted)?;
    Ok(())
}

impl<'a> Search<'a> {
    pub(super) fn new(request: &'a Request<'a>, leaf: &'a Certificate, sent: &'a [Certificate]) -> Self {
        let anchors = request.anchors.anchors().iter();
        let intermediates = sent.iter().chain(request.anchors.intermediates());
        let anchors = anchors.map(|certificate| Candidate { certificate, is_anchor: true });
        let intermediates = intermediates.map(|certificate| Candidate { certificate, is_anchor: false });
        Self {
            request,
            candidates: anchors.chain(intermediates).collect(),
            path: vec![leaf],
            verdicts: HashMap::new(),
            budget: Budget::new(),
            best: None,
        }
    }

    /// Searches; `malformed` is what was wrong with a certificate that had to be left out.
    pub(super) fn run(mut self, malformed: Option<CertificateError>) -> Result<VerifiedPath, Rejection> {
        let leaf = self.path[0];
        match self.extend(leaf) {
            Ok(Some(verified)) => return Ok(verified),
            Ok(None) => {}
            Err(Exhausted) => self.note(Stage::WorkLimit, Reason::WorkLimit, leaf),
        }
        if let Some(error) = malformed {
            self.note(Stage::MalformedIntermediate, Reason::Malformed(error), leaf);
        }
        let unknown = || unknown_ca(leaf);
        Err(self.best.unwrap_or_else(unknown).of_leaf(leaf))
    }

    /// Looks for issuers of `top`, the last certificate of the path so far.
    fn extend(&mut self, top: &'a Certificate) -> Result<Option<VerifiedPath>, Exhausted> {
        let issuers = self.issuers_of(top);
        if issuers.is_empty() {
            self.keep(unknown_ca(top));
        }
        for issuer in issuers {
            take(&mut self.budget.steps)?;
            if let Err(failure) = self.signature_verdict(top, issuer.certificate)? {
                self.note_bad_signature(failure, top, issuer.certificate);
                continue;
            }
            if let Some(verified) = self.climb(issuer)? {
                return Ok(Some(verified));
            }
        }
        Ok(None)
    }

    fn climb(&mut self, issuer: Candidate<'a>) -> Result<Option<VerifiedPath>, Exhausted> {
        let limit = self.request.policy.max_intermediates;
        if !issuer.is_anchor && self.path.len() > limit {
            self.note(Stage::TooDeep, Reason::TooDeep { limit }, self.path[0]);
            return Ok(None);
        }
        self.path.push(issuer.certificate);
        let outcome = if issuer.is_anchor { self.judge() } else { self.extend(issuer.certificate) };
        self.path.pop();
        outcome
    }

    fn judge(&mut self) -> Result<Option<VerifiedPath>, Exhausted> {
        if let Err(fault) = authority::check(&self.path, &mut self.budget)? {
            self.note(Stage::Authority, fault.reason, self.path[fault.depth]);
            return Ok(None);
        }
        match admission::check(&self.path, self.request) {
            Ok(verified) => Ok(Some(verified)),
            Err(fault) => {
                self.note(Stage::Admission, fault.reason, self.path[fault.depth]);
                Ok(None)
            }
        }
    }

    /// Certificates of the right name that are not on the path already; those with the right key identifier first.
    fn issuers_of(&self, certificate: &Certificate) -> Vec<Candidate<'a>> {
        let fits = |candidate: &&Candidate<'a>| {
            candidate.certificate.subject() == certificate.issuer() && !self.is_on_path(candidate)
        };
        let mut issuers: Vec<Candidate<'a>> = self.candidates.iter().filter(fits).copied().collect();
        issuers.sort_by_key(|issuer| issuer.certificate.has_other_key_than(certificate.authority_key()));
        issuers
    }

    /// One name and key may occur once; an anchor may equal the leaf, which is then a self-signed certificate.
    fn is_on_path(&self, candidate: &Candidate<'a>) -> bool {
        let same = |present: &&Certificate| {
            present.public_key_info() == candidate.certificate.public_key_info()
                && present.subject() == candidate.certificate.subject()
        };
        !candidate.is_anchor && self.path.iter().any(same)
    }

    fn signature_verdict(
        &mut self,
        certificate: &'a Certificate,
        issuer: &'a Certificate,
    ) -> Result<Result<(), SignatureFailure>, Exhausted> {
        let pair = (std::ptr::from_ref(certificate), std::ptr::from_ref(issuer));
        if let Some(verdict) = self.verdicts.get(&pair) {
            return Ok(*verdict);
        }
        take(&mut self.budget.signatures)?;
        let verdict = self.request.anchors.known_signatures().verify(certificate, issuer);
        self.verdicts.insert(pair, verdict);
        Ok(verdict)
    }

    fn note_bad_signature(
        &mut self,
        failure: SignatureFailure,
        certificate: &Certificate,
        issuer: &Certificate,
    ) {
        let algorithm = certificate.signature_algorithm().clone();
        match failure {
            // Two generations of "Easy-RSA CA": not a forgery, but a CA that is not trusted.
            SignatureFailure::Invalid if issuer.has_other_key_than(certificate.authority_key()) => {
                self.keep(unknown_ca(certificate));
            }
            SignatureFailure::Invalid => {
                let issuer = issuer.subject().to_string();
                self.note(Stage::BadSignature, Reason::BadSignature { issuer }, certificate);
            }
            SignatureFailure::Unsupported if algorithm.is_weak() => {
                self.note(Stage::UncheckableSignature, Reason::WeakSignature { algorithm }, certificate);
            }
            SignatureFailure::Unsupported => {
                let reason = Reason::UnsupportedSignature { algorithm };
                self.note(Stage::UncheckableSignature, reason, certificate);
            }
            SignatureFailure::UnsupportedByBackend => {
                let reason = Reason::SignatureNeedsOtherBackend { algorithm };
                self.note(Stage::UncheckableSignature, reason, certificate);
            }
        }
    }

    fn note(&mut self, stage: Stage, reason: Reason, culprit: &Certificate) {
        self.keep(Rejection::new(stage, reason, Some(culprit)));
    }

    fn keep(&mut self, rejection: Rejection) {
        let further = |best: &Rejection| rejection.stage() > best.stage();
        if self.best.as_ref().is_none_or(further) {
            self.best = Some(rejection);
        }
    }
}

fn unknown_ca(certificate: &Certificate) -> Rejection {
    let issuer = certificate.issuer().to_string();
    Rejection::new(Stage::UnknownIssuer, Reason::UnknownCa { issuer }, Some(certificate))
}
