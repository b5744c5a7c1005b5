//! A handler that is a web service: the request is posted to it, the answer is the body that comes back.

use std::path::Path;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::failure::Failure;
use crate::authorities::{self, AuthoritiesError};

/// A client for one service.
pub(super) struct Service {
    agent: Agent,
    url: String,
    timeout: Duration,
}

/// The service, or what is in front of it, has too much to do.
const BUSY: [u16; 2] = [429, 503];

impl Service {
    /// A client that trusts the authorities in a file, or those of the host; none are needed for plain `http`.
    pub(super) fn new(url: &str, ca: Option<&Path>, timeout: Duration) -> Result<Self, AuthoritiesError> {
        let mut config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("postern/", env!("CARGO_PKG_VERSION")));
        if url.starts_with("https://") {
            let authorities = authorities::read(ca)?;
            let roots: Vec<_> = authorities.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
            let tls = TlsConfig::builder()
                .root_certs(RootCerts::new_with_certs(&roots))
                .unversioned_rustls_crypto_provider(authorities::provider());
            config = config.tls_config(tls.build());
        }
        Ok(Self { agent: Agent::new_with_config(config.build()), url: url.to_owned(), timeout })
    }

    /// Posts a request.
    pub(super) fn ask(&self, request: &[u8], at_most: usize) -> Result<Vec<u8>, Failure> {
        let posted = self.agent.post(&self.url).content_type("application/json").send(request);
        let mut response = posted.map_err(|error| self.failure(&error))?;
        let status = response.status().as_u16();
        if BUSY.contains(&status) {
            return Err(Failure::Throttled("the service says so"));
        }
        if status != 200 {
            return Err(Failure::Broke(format!("the service answered with status {status}")));
        }
        let limit = u64::try_from(at_most).unwrap_or(u64::MAX);
        let body = response.body_mut().with_config().limit(limit).read_to_vec();
        body.map_err(|error| {
            if let ureq::Error::BodyExceedsLimit(limit) = error {
                Failure::InvalidResponse(format!("it has more than {limit} octets"))
            } else {
                self.failure(&error)
            }
        })
    }

    fn failure(&self, error: &ureq::Error) -> Failure {
        if matches!(error, ureq::Error::Timeout(_)) {
            Failure::TimedOut { seconds: self.timeout.as_secs() }
        } else {
            Failure::NotAsked(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};
    use std::thread::JoinHandle;

    use socket2::{Domain, Socket, Type};

    use super::*;

    /// A service that answers one request with this text; what it was asked comes back in the end.
    fn service(answer: &str) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/connect", listener.local_addr().unwrap());
        let answer = answer.to_owned();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(LONG)).unwrap();
            let (mut asked, mut buffer) = (Vec::new(), [0; 4096]);
            while !asked.ends_with(b"}") {
                let length = stream.read(&mut buffer).unwrap();
                asked.extend_from_slice(&buffer[..length]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        });
        (url, thread)
    }

    fn ask(url: &str, timeout: Duration) -> Result<Vec<u8>, Failure> {
        Service::new(url, None, timeout).unwrap().ask(b"{\"a\":1}", 16)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_request_is_posted_as_json_and_the_body_is_the_answer() {
        let (url, thread) = service("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
        assert_eq!(ask(&url, LONG).unwrap(), b"{}");
        let asked = thread.join().unwrap();
        assert!(asked.starts_with("POST /connect HTTP/1.1\r\n"), "{asked}");
        assert!(asked.to_lowercase().contains("content-type: application/json\r\n"), "{asked}");
        assert!(asked.ends_with("\r\n\r\n{\"a\":1}"), "{asked}");
    }

    #[test]
    fn other_answers_are_told_apart() {
        for (status, reason) in [
            ("429 Too Many Requests", "client-connect-handler-throttled"),
            ("503 Service Unavailable", "client-connect-handler-throttled"),
            ("500 Internal Server Error", "client-connect-handler-other-execution-error"),
            ("302 Found", "client-connect-handler-other-execution-error"),
            ("204 No Content", "client-connect-handler-other-execution-error"),
        ] {
            let location = "location: http://127.0.0.1:1/";
            let (url, _thread) =
                service(&format!("HTTP/1.1 {status}\r\n{location}\r\ncontent-length: 0\r\n\r\n"));
            assert_eq!(ask(&url, LONG).unwrap_err().reason(), reason, "{status}");
        }
    }

    #[test]
    fn an_answer_that_is_too_long_is_none() {
        let (url, _thread) = service("HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n12345678901234567");
        assert_eq!(ask(&url, LONG).unwrap_err().reason(), "client-connect-handler-invalid-response");
    }

    #[test]
    fn a_service_that_is_not_there_or_says_nothing_is_told_apart() {
        let url = |address: SocketAddr| format!("http://{address}/");
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let late = ask(&url(silent.local_addr().unwrap()), Duration::from_millis(300)).unwrap_err();
        assert_eq!(late.reason(), "client-connect-handler-timed-out");
        // Nobody else can get a port that is bound, and nobody listens there.
        let absent = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        absent.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let absent_url = url(absent.local_addr().unwrap().as_socket().unwrap());
        assert_eq!(ask(&absent_url, LONG).unwrap_err().reason(), "client-connect-handler-service-error");
    }
}
