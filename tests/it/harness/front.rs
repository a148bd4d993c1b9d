//! One address before several server processes, as a load balancer gives it: a connection goes to one that takes it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// Ends with the test.
#[derive(Clone)]
pub struct Front {
    /// `http://127.0.0.1:…`
    pub url: String,
    behind: Arc<Mutex<Vec<String>>>,
}

impl Front {
    /// A front with room for so many servers, none of which is there yet.
    pub async fn start(places: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let front = Self { url, behind: Arc::new(Mutex::new(vec![String::new(); places])) };
        let (own, next) = (front.clone(), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                let own = own.clone();
                tokio::spawn(async move { own.pass(client, turn).await });
            }
        });
        front
    }

    /// The server in this place listens there now.
    pub fn set(&self, place: usize, address: &str) {
        self.behind.lock().unwrap()[place] = address.to_owned();
    }

    async fn pass(&self, mut client: TcpStream, turn: usize) {
        let mut behind = self.behind.lock().unwrap().clone();
        let start = turn % behind.len();
        behind.rotate_left(start);
        for address in behind {
            if let Ok(mut server) = TcpStream::connect(&address).await {
                let _ = copy_bidirectional(&mut client, &mut server).await;
                return;
            }
        }
    }
}
