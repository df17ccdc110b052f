//! Certificates made for one test, and what trusts them.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use codeout_daemon::TlsFiles;

/// A certificate and its key in files, which may be written again.
pub struct Certificate(TempDir);

impl Certificate {
    /// A certificate for these DNS names and IP addresses, signed by itself.
    pub fn new(names: &[&str]) -> Self {
        let certificate = Certificate(TempDir::new().unwrap());
        certificate.renew(names);
        certificate
    }

    /// Puts another certificate and key in the place of the first.
    pub fn renew(&self, names: &[&str]) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let made = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        self.put("desk.crt", &made.pem());
        self.put("desk.key", &key.serialize_pem());
    }

    /// Writes a file, which takes the place of what is there.
    pub fn put(&self, name: &str, text: &str) {
        let draft = self.0.path().join("draft");
        fs::write(&draft, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&draft, mode).unwrap();
        fs::rename(draft, self.0.path().join(name)).unwrap();
    }

    pub fn files(&self) -> TlsFiles {
        TlsFiles { certificate: self.path("desk.crt"), key: self.path("desk.key") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The options that serve it.
    pub fn options(&self) -> Vec<String> {
        let TlsFiles { certificate, key } = self.files();
        let words = ["--tls-cert".into(), certificate, "--tls-key".into(), key];
        words.map(|word: PathBuf| word.to_str().unwrap().to_owned()).to_vec()
    }

    /// Speaks TLS to a port of loopback, as a browser that trusts this certificate and asks for
    /// `name`.
    pub async fn dial(&self, port: u16, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        self.dial_for(port, name, &[b"h2", b"http/1.1"]).await
    }

    /// As [`dial`](Self::dial), with these protocols to choose from.
    pub async fn dial_for(
        &self,
        port: u16,
        name: &str,
        protocols: &[&[u8]],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("desk.crt")).unwrap()).unwrap();
        let mut config =
            ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}
