//! Connections: how many, how large what they say, and for how long they may be silent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep};

/// A thousand who look on, and as many requests beside them. Who finds no place is disconnected.
const MAX_CONNECTIONS: usize = 2_048;
/// From the connection, or the answer before, to the end of a request's head.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// Who takes nothing of an answer for so long is disconnected.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// What is held of one connection at most.
const MAX_BUFFER_BYTES: usize = 64 * 1024;
/// A browser sends some twenty.
const MAX_HEADERS: usize = 100;
/// When a connection cannot be taken the next try comes after this.
const CROWDED_PAUSE: Duration = Duration::from_millis(100);

/// Answers until it is dropped, and everybody who has asked with it.
pub(super) async fn serve(listener: TcpListener, paths: Router) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut exchanges = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                    let paths = paths.clone();
                    exchanges.spawn(async move {
                        // Who is too slow, or gone, is not waited for.
                        let _ = exchange(stream, paths).await;
                        drop(place);
                    });
                },
                Err(_) => sleep(CROWDED_PAUSE).await,
            },
            Some(_) = exchanges.join_next() => {}
        }
    }
}

async fn exchange(stream: TcpStream, paths: Router) -> hyper::Result<()> {
    // What changes is small, and is to be seen at once.
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT);
    http.max_buf_size(MAX_BUFFER_BYTES).max_headers(MAX_HEADERS);
    http.serve_connection(TokioIo::new(Impatient::new(stream)), TowerToHyperService::new(paths)).await
}

/// A stream that fails where the other side takes nothing for too long.
struct Impatient<S> {
    stream: S,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncWrite + Unpin> Impatient<S> {
    fn new(stream: S) -> Self {
        Self { stream, waiting: None }
    }

    /// Passes an outcome on, unless it has been waited for too long.
    fn judge<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.waiting = None;
            return outcome;
        }
        let by = Instant::now() + WRITE_LIMIT;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(by)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up_and_who_takes_slowly_is_not() {
        let (near, mut far) = duplex(8);
        let mut near = Impatient::new(near);
        let reading = tokio::spawn(async move {
            let mut bytes = [0; 8];
            for _ in 0..3 {
                sleep(WRITE_LIMIT / 2).await;
                far.read_exact(&mut bytes).await.expect("bytes");
            }
            far
        });
        near.write_all(&[0; 32]).await.expect("taken slowly");
        let begun = Instant::now();
        let error = near.write_all(&[0; 32]).await.expect_err("not taken");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= WRITE_LIMIT && begun.elapsed() < 2 * WRITE_LIMIT, "{:?}", begun.elapsed());
        drop(reading.await.expect("a reader"));
    }
}
