//! Connects to the first server of several that answers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long an attempt has before the next one is begun beside it (RFC 8305 asks for 250 ms).
const HEAD_START: Duration = Duration::from_millis(250);

/// More servers are not tried.
const ATTEMPTS: usize = 6;

/// Connects within the time; the attempts that were slower are given up.
pub(crate) async fn dial(servers: &[SocketAddr], within: Duration) -> Result<TcpStream, String> {
    let mut attempts = JoinSet::new();
    let all = async {
        let mut failed = None;
        for server in servers.iter().take(ATTEMPTS) {
            attempts.spawn(connect(*server));
            match timeout(HEAD_START, attempts.join_next()).await {
                Ok(Some(Ok(Ok(stream)))) => return Ok(stream),
                Ok(Some(Ok(Err(why)))) => failed = Some(why),
                Ok(_) | Err(_) => {}
            }
        }
        while let Some(attempt) = attempts.join_next().await {
            match attempt {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(why)) => failed = Some(why),
                Err(_) => {}
            }
        }
        Err(failed.unwrap_or_else(|| "there is no address to connect to".to_owned()))
    };
    match timeout(within, all).await {
        Ok(result) => result,
        Err(_) => Err(format!("no server answered within {} s", within.as_secs_f64())),
    }
}

async fn connect(server: SocketAddr) -> Result<TcpStream, String> {
    let connected: io::Result<TcpStream> = TcpStream::connect(server).await;
    connected.map_err(|error| format!("{server}: {error}"))
}
