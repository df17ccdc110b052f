//! HTTPS: a certificate and its key from two files of the daemon's user, read anew when they
//! change. The protocol does not rely on it; browsers let a page do more behind it.

use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use webpki::EndEntityCert;

use crate::shared_stream::SharedStream;

/// The first byte of a TLS connection, and of no HTTP request.
const HANDSHAKE_RECORD: u8 = 0x16;
/// WebSockets are a matter of HTTP/1.1.
const ALPN: &[u8] = b"http/1.1";

/// Where a daemon's certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those that lead to its root, in PEM, its own first.
    pub certificate: PathBuf,
    /// Its private key, in PEM, without a passphrase.
    pub key: PathBuf,
}

/// A certificate cannot be used. The files were not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read: {reason}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A file has no certificate in PEM.
    #[error("there is no certificate in {}", .path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A certificate is no X.509 certificate of version 3, or damaged.
    #[error("the certificate in {} cannot be used: {reason}", .path.display())]
    BadCertificate {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file has no private key in PEM, or only one with a passphrase.
    #[error("there is no private key without a passphrase in {}", .path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key is of a kind that TLS does not use, or damaged.
    #[error("the key in {} cannot be used: {reason}", .path.display())]
    BadKey {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The key is another certificate's.
    #[error("the key in {} does not belong to the first certificate in {}", .key.display(),
        .certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

/// How a connection began.
pub(crate) enum Greeted {
    Secure(Box<TlsStream<SharedStream>>),
    /// With plain HTTP, or with nothing.
    Plain(SharedStream),
}

/// The certificate that a daemon shows.
#[derive(Debug)]
pub(crate) struct Tls {
    files: TlsFiles,
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
    watched: Mutex<Watched>,
}

/// What new connections are shown; none while there is none that can be used.
#[derive(Debug, Default)]
struct Shown(RwLock<Option<Arc<Certificate>>>);

#[derive(Debug)]
struct Certificate {
    certified: Arc<CertifiedKey>,
    /// The DNS names that it is valid for, wildcards left out.
    names: Vec<String>,
}

/// Which state of the files is in use, and which is known not to be of use.
#[derive(Debug, Default)]
struct Watched {
    used: Option<Stamp>,
    /// The last that failed. Two files are not exchanged at once: they are given another look.
    failed: Option<Stamp>,
    told: Option<Stamp>,
}

/// Tells states of the two files apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp([Option<[i128; 5]>; 2]);

impl Tls {
    /// Reads the files.
    pub(crate) fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let used = Some(files.stamp());
        let certificate = Certificate::read(&files)?;
        let tls = Self::without(files);
        tls.shown.set(certificate);
        tls.watched().used = used;
        Ok(tls)
    }

    /// As [`open`](Self::open), also with files that cannot be used: nobody can connect then,
    /// until they are set right.
    pub(crate) fn open_anyway(files: TlsFiles) -> Self {
        Self::open(files.clone()).unwrap_or_else(|error| {
            tracing::warn!(%error, "there is no certificate");
            Self::without(files)
        })
    }

    fn without(files: TlsFiles) -> Self {
        let shown = Arc::<Shown>::default();
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring has what TLS needs")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![ALPN.to_vec()];
        Tls { files, shown, config: Arc::new(config), watched: Mutex::default() }
    }

    /// Greets a new connection.
    ///
    /// # Errors
    /// It ended, or its TLS is none.
    pub(crate) async fn accept(&self, stream: SharedStream) -> io::Result<Greeted> {
        if stream.peek().await? != Some(HANDSHAKE_RECORD) {
            return Ok(Greeted::Plain(stream));
        }
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config));
        Ok(Greeted::Secure(Box::new(acceptor.accept(stream).await?)))
    }

    /// Looks whether the files have changed; takes them, if they can be used. `Ok(true)`: there
    /// is another certificate. What is of no use is told once. May wait for the disk.
    pub(crate) fn refresh(&self) -> Result<bool, TlsError> {
        let stamp = self.files.stamp();
        let mut watched = self.watched();
        if watched.used.as_ref() == Some(&stamp) {
            return Ok(false);
        }
        match Certificate::read(&self.files) {
            Ok(certificate) => {
                *watched = Watched { used: Some(stamp), ..Watched::default() };
                Ok(self.shown.set(certificate))
            }
            Err(error) => {
                let stamp = Some(stamp);
                let is_news = watched.failed == stamp && watched.told != stamp;
                watched.failed.clone_from(&stamp);
                if !is_news {
                    return Ok(false);
                }
                watched.told = stamp;
                Err(error)
            }
        }
    }

    /// Whether there is a certificate to show.
    pub(crate) fn is_ready(&self) -> bool {
        self.shown.get().is_some()
    }

    /// The DNS names that the certificate is valid for, wildcards left out.
    pub(crate) fn names(&self) -> Vec<String> {
        self.shown.get().map_or_else(Vec::new, |shown| shown.names.clone())
    }

    /// Whether the certificate is valid for a host: a name, or an IP address.
    pub(crate) fn covers(&self, host: &str) -> bool {
        self.shown.get().is_some_and(|shown| shown.covers(host))
    }

    /// The key's file, when every user of this computer may read it.
    pub(crate) fn exposed_key(&self) -> Option<&Path> {
        let metadata = std::fs::metadata(&self.files.key).ok()?;
        (metadata.mode() & 0o004 != 0).then_some(&self.files.key)
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TlsFiles {
    fn stamp(&self) -> Stamp {
        Stamp([&self.certificate, &self.key].map(|path| {
            let found = std::fs::metadata(path).ok()?;
            let (device, number, size) = (found.dev(), found.ino(), found.size());
            let (seconds, nanos) = (found.mtime(), found.mtime_nsec());
            Some([device.into(), number.into(), size.into(), seconds.into(), nanos.into()])
        }))
    }
}

impl Shown {
    fn get(&self) -> Option<Arc<Certificate>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says whether it is another one.
    fn set(&self, certificate: Certificate) -> bool {
        let mut shown = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_other = match &*shown {
            Some(before) => before.certified.cert != certificate.certified.cert,
            None => true,
        };
        *shown = Some(Arc::new(certificate));
        is_other
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.get().map(|shown| Arc::clone(&shown.certified))
    }
}

impl Certificate {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let TlsFiles { certificate: path, key: key_path } = files;
        let chain = read_chain(path)?;
        let key = read_key(key_path)?;
        let bad = |reason: String| TlsError::BadCertificate { path: path.clone(), reason };
        let own = chain.first().ok_or_else(|| TlsError::NoCertificate { path: path.clone() })?;
        let own = EndEntityCert::try_from(own).map_err(|error| bad(error.to_string()))?;
        let names = own.valid_dns_names().filter(|name| !name.starts_with("*."));
        let names = names.map(str::to_ascii_lowercase).collect();
        let certified = CertifiedKey::from_der(chain, key, &provider());
        let certified = certified.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::Mismatch { certificate: path.clone(), key: key_path.clone() }
            }
            rustls::Error::InvalidCertificate(error) => bad(error.to_string()),
            other => TlsError::BadKey { path: key_path.clone(), reason: other.to_string() },
        })?;
        Ok(Certificate { certified: Arc::new(certified), names })
    }

    fn covers(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = match host.parse::<IpAddr>() {
            Ok(address) => Ok(ServerName::from(address)),
            Err(_) => ServerName::try_from(host),
        };
        let own = self.certified.cert.first().and_then(|own| EndEntityCert::try_from(own).ok());
        own.zip(name.ok())
            .is_some_and(|(own, name)| own.verify_is_valid_for_subject_name(&name).is_ok())
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(TlsError::NoCertificate { path: path.to_owned() }),
        Ok(chain) => Ok(chain),
        Err(error) => {
            Err(TlsError::BadCertificate { path: path.to_owned(), reason: error.to_string() })
        }
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = zeroize::Zeroizing::new(read(path)?);
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey { path: path.to_owned() },
        // What it says may quote the file.
        _ => TlsError::BadKey { path: path.to_owned(), reason: "it is no PEM".to_owned() },
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|reason| TlsError::Read { path: path.to_owned(), reason })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
