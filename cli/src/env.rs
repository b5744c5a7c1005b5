//! Every environment variable that `postern` itself reads. Those of the drop-in stand in `easyrsa::options`.

/// The PKI directory, unless `--pki-dir` is given. Since 0.1.
pub(crate) const POSTERN_PKI: &str = "POSTERN_PKI";

/// easy-rsa's variable for the same, used when [`POSTERN_PKI`] is not set. Since 0.1.
pub(crate) const EASYRSA_PKI: &str = "EASYRSA_PKI";

/// The PKCS#11 URI of the authority's key, in both front ends, unless `--ca-key` is given. Since 0.1.
pub(crate) const POSTERN_CA_KEY: &str = "POSTERN_CA_KEY";

/// Where systemd puts the credentials of a service, for `--passin credential:NAME`. Since 0.1.
pub(crate) const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// `strict` or `easyrsa`: whose field forms new certificates and lists follow, in both front ends. Since 0.1.
pub(crate) const POSTERN_PROFILE: &str = "POSTERN_PROFILE";

/// What the server does without although the kernel may have it: `uso`, `tso`, `gso`, `gro` and `multi-queue`, separated by
/// commas. Since 0.1.
pub(crate) const POSTERN_WITHOUT: &str = "POSTERN_WITHOUT";

/// Set by `postern openvpn` for the process that it leaves in the background; not for users. Since 0.1.
pub(crate) const POSTERN_DETACHED: &str = "POSTERN_DETACHED";

/// Set by systemd for services that say when they are ready: these stay in the foreground.
pub(crate) const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";
