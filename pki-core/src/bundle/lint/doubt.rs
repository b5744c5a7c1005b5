//! Everything that a judgement can say, each with a code that never changes once published.

/// What is dangerous, weak or wrong in a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The profile is larger or longer than any real one; the rest was not judged.
    ProfileTooLarge,
    /// A line cannot be taken apart, and every client refuses the profile.
    Syntax,
    /// A directive belongs into the configuration of a server.
    ServerDirective,
    /// Current clients refuse a directive that older ones had.
    DirectiveRemoved,
    /// No client is known to have a directive.
    DirectiveUnknown,
    /// A file lies on another machine, which learns who opens it.
    FileElsewhere,
    /// A file lies outside of the directory of the profile.
    FileOutside,
    /// A file has to lie beside the profile.
    FileBeside,
    /// A password stands in the profile.
    PasswordInside,
    /// A password is read from a file, where it lies open.
    PasswordInFile,
    /// A hash protects nothing.
    HashWeak,
    /// A version of TLS is allowed that is broken.
    TlsVersionWeak,
    /// Cipher suites are allowed that protect nothing.
    CipherSuiteWeak,
    /// The device carries Ethernet, which neither this server nor OpenVPN 3 does.
    DeviceTap,
    /// A fixed key takes the place of certificates; there is no forward secrecy.
    StaticKeyMode,
    /// Packets are cut in a form that only stock OpenVPN takes.
    Fragment,
    /// A cipher is broken.
    CipherWeak,
    /// Only CBC ciphers are offered.
    CipherOld,
    /// Packets are compressed, or have the form of compressed ones.
    Compression,
    /// A directive runs a program, with the rights of the client.
    RunsProgram,
    /// A directive loads code into the client.
    LoadsCode,
    /// A directive changes where the client looks for files and devices.
    ChangesSurroundings,
    /// A directive writes a file, with the rights of the client.
    WritesFile,
    /// A directive lets others control the client, or lets it run programs.
    OpensControl,
    /// A directive sets a variable for programs.
    SetsEnvironment,
    /// Nothing checks that the other end is a server.
    ServerUnverified,
    /// Every server of the same authority is taken.
    ServerUnnamed,
    /// No authority is named that the server could come from.
    AuthorityMissing,
    /// There is neither a certificate with its key nor a login by password.
    IdentityMissing,
    /// No server is named.
    RemoteMissing,
    /// The server is neither a host name nor an address.
    RemoteUnusable,
    /// A certificate cannot be read.
    CertificateUnreadable,
    /// The certificate of the authority has ended.
    AuthorityExpired,
    /// What stands in the place of the authority is no authority.
    AuthorityUnusable,
    /// The client's certificate has ended.
    CertificateExpired,
    /// The client's certificate ends soon.
    CertificateExpiring,
    /// The client's certificate is not valid yet.
    CertificateEarly,
    /// The client's certificate is for another purpose.
    CertificateNotForClients,
    /// A certificate has a key or a signature that is too weak.
    CertificateWeak,
    /// The client's certificate comes from none of the authorities in the profile.
    CertificateForeign,
    /// The key cannot be read.
    KeyUnreadable,
    /// The key is encrypted in a way that can be guessed.
    KeyEncryptionWeak,
    /// The key is not encrypted.
    KeyPlain,
    /// Key and certificate do not belong together.
    KeyMismatch,
    /// Others on this machine can read the key.
    KeyExposed,
    /// A key of tls-auth, tls-crypt or tls-crypt-v2 cannot be read.
    WrappingKeyUnreadable,
}

impl Doubt {
    /// Stable name of this remark.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::ProfileTooLarge => "profile-too-large",
            Self::Syntax => "syntax",
            Self::ServerDirective => "server-directive",
            Self::DirectiveRemoved => "directive-removed",
            Self::DirectiveUnknown => "directive-unknown",
            Self::FileElsewhere => "file-elsewhere",
            Self::FileOutside => "file-outside",
            Self::FileBeside => "file-beside",
            Self::PasswordInside => "password-inside",
            Self::PasswordInFile => "password-in-file",
            Self::HashWeak => "hash-weak",
            Self::TlsVersionWeak => "tls-version-weak",
            Self::CipherSuiteWeak => "cipher-suite-weak",
            Self::DeviceTap => "device-tap",
            Self::StaticKeyMode => "static-key-mode",
            Self::Fragment => "fragment",
            Self::CipherWeak => "cipher-weak",
            Self::CipherOld => "cipher-old",
            Self::Compression => "compression",
            Self::RunsProgram => "runs-program",
            Self::LoadsCode => "loads-code",
            Self::ChangesSurroundings => "changes-surroundings",
            Self::WritesFile => "writes-file",
            Self::OpensControl => "opens-control",
            Self::SetsEnvironment => "sets-environment",
            Self::ServerUnverified => "server-unverified",
            Self::ServerUnnamed => "server-unnamed",
            Self::AuthorityMissing => "authority-missing",
            Self::IdentityMissing => "identity-missing",
            Self::RemoteMissing => "remote-missing",
            Self::RemoteUnusable => "remote-unusable",
            Self::CertificateUnreadable => "certificate-unreadable",
            Self::AuthorityExpired => "authority-expired",
            Self::AuthorityUnusable => "authority-unusable",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateExpiring => "certificate-expiring",
            Self::CertificateEarly => "certificate-early",
            Self::CertificateNotForClients => "certificate-not-for-clients",
            Self::CertificateWeak => "certificate-weak",
            Self::CertificateForeign => "certificate-foreign",
            Self::KeyUnreadable => "key-unreadable",
            Self::KeyEncryptionWeak => "key-encryption-weak",
            Self::KeyPlain => "key-plain",
            Self::KeyMismatch => "key-mismatch",
            Self::KeyExposed => "key-exposed",
            Self::WrappingKeyUnreadable => "wrapping-key-unreadable",
        }
    }
}
