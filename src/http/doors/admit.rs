//! Who is let in.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::meter::{CloseReason, Meter, Pace};
use super::waiting::WaitingRoom;
use crate::base::error_code::ErrorCode;
use crate::base::network::Network;
use crate::config::Connections;
use crate::infra::shares::{Share, Shares};
use crate::infra::throttle;

/// Refused clients that are answered at once; more are only closed.
const ANSWERED: usize = 64;
/// How long a refused client may take to read that it is.
const FAREWELL: Duration = Duration::from_secs(1);

/// What one is answered who is refused before a request was read.
static FULL: LazyLock<String> = LazyLock::new(|| {
    let body = json!({
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "code": ErrorCode::Unavailable.as_str(),
        "detail": "as many connections are open as may be",
        "retryAfterSeconds": 5,
    });
    let body = body.to_string();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-type: application/problem+json\r\n\
         cache-control: no-store\r\nretry-after: 5\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
});

/// Shares the connections of one listener.
pub struct Doors {
    listener: &'static str,
    pace: Pace,
    room: usize,
    all: Arc<Semaphore>,
    by_address: Arc<Shares<IpAddr>>,
    trusted: Vec<Network>,
    waiting: Arc<WaitingRoom>,
    farewells: Arc<Semaphore>,
    next: AtomicU64,
}

/// A connection that was let in, counted until this is dropped.
pub struct Admitted {
    listener: &'static str,
    meter: Arc<Meter>,
    _of_all: OwnedSemaphorePermit,
    _of_address: Option<Share<IpAddr>>,
}

impl Doors {
    /// `listener`: its name in figures. `trusted`: proxies, which connect for many.
    pub fn new(listener: &'static str, config: &Connections, trusted: Vec<Network>) -> Self {
        for reason in ["total", "address", "open_files"] {
            metrics::counter!("dispense_connections_refused_total", "listener" => listener, "reason" => reason)
                .increment(0);
        }
        for cause in CloseReason::ALL {
            metrics::counter!("dispense_connections_closed_total", "listener" => listener, "reason" => cause.as_str())
                .increment(0);
        }
        metrics::gauge!("dispense_connections_open", "listener" => listener).set(0.0);
        metrics::gauge!("dispense_connections_limit", "listener" => listener).set(config.most as f64);
        Self {
            listener,
            pace: Pace::of(config),
            room: config.room,
            all: Arc::new(Semaphore::new(config.most)),
            by_address: Shares::new(config.per_address),
            trusted,
            waiting: Arc::default(),
            farewells: Arc::new(Semaphore::new(ANSWERED)),
            next: AtomicU64::new(0),
        }
    }

    /// Lets a connection in. One that is refused is answered when there is time for it.
    pub fn admit(&self, stream: TcpStream, peer: IpAddr) -> Option<(TcpStream, Arc<Meter>, Admitted)> {
        if self.all.available_permits() <= self.room {
            self.waiting.close_oldest();
        }
        let Ok(of_all) = self.all.clone().try_acquire_owned() else {
            self.refuse(stream, "total");
            return None;
        };
        let canonical = peer.to_canonical();
        let of_address = if self.trusted.iter().any(|network| network.contains(canonical)) {
            None
        } else {
            let Some(counted) = self.by_address.enter(throttle::prefix(peer)) else {
                self.refuse(stream, "address");
                return None;
            };
            Some(counted)
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let meter = Meter::open(number, self.pace, self.waiting.clone());
        metrics::gauge!("dispense_connections_open", "listener" => self.listener).increment(1.0);
        let admitted = Admitted {
            listener: self.listener,
            meter: meter.clone(),
            _of_all: of_all,
            _of_address: of_address,
        };
        Some((stream, meter, admitted))
    }

    /// The system gave no connection; returns when another may be tried.
    pub async fn out_of_reach(&self, error: &std::io::Error) {
        // A client that went away between is nobody's trouble.
        if matches!(
            error.kind(),
            ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
        ) {
            return;
        }
        metrics::counter!("dispense_connections_refused_total", "listener" => self.listener, "reason" => "open_files")
            .increment(1);
        tracing::warn!(error = %error, "no connection could be taken");
        self.waiting.close_oldest();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    fn refuse(&self, mut stream: TcpStream, reason: &'static str) {
        metrics::counter!("dispense_connections_refused_total", "listener" => self.listener, "reason" => reason)
            .increment(1);
        let Ok(place) = self.farewells.clone().try_acquire_owned() else { return };
        tokio::spawn(async move {
            // What the client sent is read away, or the answer would be lost with a reset.
            let farewell = async {
                stream.write_all(FULL.as_bytes()).await?;
                stream.shutdown().await?;
                let mut away = [0; 4_096];
                while stream.read(&mut away).await? > 0 {}
                Ok::<_, std::io::Error>(())
            };
            let _ = timeout(FAREWELL, farewell).await;
            drop(place);
        });
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.meter.leave();
        let cause = self.meter.cause().unwrap_or(CloseReason::Client);
        metrics::gauge!("dispense_connections_open", "listener" => self.listener).decrement(1.0);
        metrics::counter!("dispense_connections_closed_total", "listener" => self.listener, "reason" => cause.as_str())
            .increment(1);
    }
}
