//! How many connections there are at most, and when one that asks for nothing is shown out.
//!
//! When all places are taken, whoever has asked for nothing for the longest makes room: connections that were only
//! opened, or drip their heads, cost others nothing. Only where each is waiting for an answer is a newcomer sent away.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Response};
use axum_server::accept::Accept;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep};
use tower::Service;

/// Lets connections in.
#[derive(Clone)]
pub(crate) struct Door(Arc<House>);

struct House {
    most: usize,
    /// Whether TLS is spoken inside, so that a word in clear would be noise.
    tls: bool,
    /// How long a guest may ask for nothing.
    patience: Duration,
    guests: Mutex<HashMap<u64, Arc<Guest>>>,
    next: AtomicU64,
    counts: Counts,
    /// Whether each answer is the last on its connection.
    closing: AtomicBool,
}

/// What came to the door.
#[derive(Default)]
struct Counts {
    open: Gauge,
    accepted: Counter,
    shown_out: Counter,
    sent_away: Counter,
}

/// One connection.
struct Guest {
    id: u64,
    house: Arc<House>,
    /// Requests that wait for their answer; over HTTP/2 several.
    requests: AtomicUsize,
    /// When it came, or was last answered.
    last: Mutex<Instant>,
    /// Gone once it was asked to leave.
    leave: Mutex<Option<oneshot::Sender<()>>>,
}

impl Door {
    pub(crate) fn new(most: usize, patience: Duration, tls: bool) -> Self {
        Self(Arc::new(House {
            most,
            tls,
            patience,
            guests: Mutex::default(),
            next: AtomicU64::new(0),
            counts: Counts::default(),
            closing: AtomicBool::new(false),
        }))
    }

    /// From now on each answer is the last on its connection: one that is closed while it waits for the next request can
    /// meet that request on its way, and a proxy does not send a sign-in twice.
    pub(crate) fn begin_stop(&self) {
        self.0.closing.store(true, Ordering::Release);
    }
}

impl Door {
    /// Makes what is counted here known.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let Counts { open, accepted, shown_out, sent_away } = &self.0.counts;
        registry.register("connections_open", "Connections that have a place", open.clone());
        registry.register("connections_accepted", "Connections that got a place", accepted.clone());
        let help = "Connections that asked for nothing and made room";
        registry.register("connections_shown_out", help, shown_out.clone());
        registry.register("connections_sent_away", "Connections that found no place", sent_away.clone());
    }
}

impl House {
    fn guests(&self) -> MutexGuard<'_, HashMap<u64, Arc<Guest>>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a newcomer; `None` if everybody here waits for an answer.
    fn admit(self: &Arc<Self>) -> Option<(Arc<Guest>, oneshot::Receiver<()>)> {
        let mut guests = self.guests();
        if guests.len() >= self.most {
            let idle = guests.values().filter(|guest| guest.is_idle());
            let Some(longest) = idle.min_by_key(|guest| (guest.last(), guest.id)).map(|guest| guest.id)
            else {
                self.counts.sent_away.inc();
                return None;
            };
            self.counts.shown_out.inc();
            if let Some(guest) = guests.remove(&longest) {
                guest.show_out();
            }
        }
        let (leave, asked_to_leave) = oneshot::channel();
        let guest = Arc::new(Guest {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            house: Arc::clone(self),
            requests: AtomicUsize::new(0),
            last: Mutex::new(Instant::now()),
            leave: Mutex::new(Some(leave)),
        });
        guests.insert(guest.id, Arc::clone(&guest));
        self.counts.accepted.inc();
        self.counts.open.set(guests.len() as i64);
        Some((guest, asked_to_leave))
    }
}

impl Guest {
    fn show_out(&self) {
        drop(self.leave.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn is_idle(&self) -> bool {
        self.requests.load(Ordering::Acquire) == 0
    }

    fn last(&self) -> Instant {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_answer(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Door {
    type Stream = Seated;
    type Service = Served<S>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Seated, Served<S>)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let (place, tls) = (self.0.admit(), self.0.tls);
        Box::pin(async move {
            let Some((guest, asked_to_leave)) = place else {
                return Err(if tls { no_place() } else { send_away(stream).await });
            };
            // An answer is often one small segment, which Nagle's algorithm would hold back for the client's late ACK.
            stream.set_nodelay(true)?;
            let timer = Box::pin(sleep(guest.house.patience));
            let served = Served { guest: Arc::clone(&guest), service };
            Ok((Seated { stream, guest, asked_to_leave, timer, ended: false }, served))
        })
    }
}

/// The answer to whoever finds no place, written before anything is read: it costs no more than that.
async fn send_away(mut stream: TcpStream) -> io::Error {
    const BODY: &str = r#"{"type":"about:blank","title":"Busy","status":503,"detail":"Too busy to answer now","code":"busy"}"#;
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\n\
         cache-control: no-store\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let sent = stream.write_all(answer.as_bytes()).await.and(stream.shutdown().await);
    // What has arrived meanwhile is taken, or closing would reset the connection and lose the answer.
    while matches!(stream.try_read(&mut [0; 4096]), Ok(1..)) {}
    sent.err().unwrap_or_else(no_place)
}

fn no_place() -> io::Error {
    io::Error::other("every connection is in use")
}

/// A connection that has a place.
pub(crate) struct Seated {
    stream: TcpStream,
    guest: Arc<Guest>,
    asked_to_leave: oneshot::Receiver<()>,
    /// Rings when nothing may have been asked for long enough; who was answered since sets it anew.
    timer: Pin<Box<Sleep>>,
    /// Whether it was told to end.
    ended: bool,
}

impl Drop for Seated {
    fn drop(&mut self) {
        let mut guests = self.guest.house.guests();
        guests.remove(&self.guest.id);
        self.guest.house.counts.open.set(guests.len() as i64);
    }
}

impl Seated {
    /// What came of reading or writing, or the end of the connection where that would have to wait. While an answer
    /// waits to be taken nothing is read, so that a client that takes none would else stay for as long as it likes.
    fn unless_ended<T>(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match done {
            Poll::Pending if self.poll_end(cx).is_ready() => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            done => done,
        }
    }

    /// Ready when the connection is to end.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ended || Pin::new(&mut self.asked_to_leave).poll(cx).is_ready() {
            self.ended = true;
            return Poll::Ready(());
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let end = match self.guest.is_idle() {
                true => self.guest.last() + self.guest.house.patience,
                false => Instant::now() + self.guest.house.patience,
            };
            if end <= Instant::now() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(end);
        }
        Poll::Pending
    }
}

impl AsyncRead for Seated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.poll_end(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Seated {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.unless_ended(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.unless_ended(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.unless_ended(cx, written)
    }
}

/// A service that says when its connection waits for an answer, and which is the last.
#[derive(Clone)]
pub(crate) struct Served<S> {
    guest: Arc<Guest>,
    service: S,
}

/// A request that waits for its answer.
struct Waiting(Arc<Guest>);

impl Waiting {
    fn new(guest: Arc<Guest>) -> Self {
        guest.requests.fetch_add(1, Ordering::AcqRel);
        Self(guest)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.note_answer();
        self.0.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<S, B, R> Service<Request<B>> for Served<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let waiting = Waiting::new(Arc::clone(&self.guest));
        let answer = self.service.call(request);
        Box::pin(async move {
            let mut answer = answer.await;
            if let (true, Ok(answer)) = (waiting.0.house.closing.load(Ordering::Acquire), &mut answer) {
                // hyper leaves it out over HTTP/2, which has no such header (RFC 9113 section 8.2.2) and loses nothing:
                // GOAWAY says which requests were not taken.
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            drop(waiting);
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    fn house(most: usize) -> Arc<House> {
        Door::new(most, Duration::from_secs(75), false).0
    }

    fn is_shown_out(asked: &mut oneshot::Receiver<()>) -> bool {
        matches!(asked.try_recv(), Err(oneshot::error::TryRecvError::Closed))
    }

    #[test]
    fn whoever_asked_for_nothing_the_longest_makes_room() {
        let house = house(3);
        let (first, mut first_asked) = house.admit().unwrap();
        let (_second, mut second_asked) = house.admit().unwrap();
        let (third, mut third_asked) = house.admit().unwrap();
        // The first is answered, so that it is the youngest; the third waits for an answer.
        drop(Waiting::new(Arc::clone(&first)));
        let waiting = Waiting::new(Arc::clone(&third));
        let (fourth, mut fourth_asked) = house.admit().unwrap();
        assert!(is_shown_out(&mut second_asked) && !is_shown_out(&mut first_asked));
        let _busy = Waiting::new(fourth);
        house.admit().unwrap();
        assert!(is_shown_out(&mut first_asked) && !is_shown_out(&mut third_asked));
        house.admit().unwrap();
        assert_eq!(house.guests().len(), 3);
        assert!(!is_shown_out(&mut fourth_asked) && !is_shown_out(&mut third_asked));
        drop(waiting);
    }

    #[test]
    fn where_everybody_waits_for_an_answer_there_is_no_place() {
        let house = house(2);
        let busy: Vec<_> = (0..2).map(|_| Waiting::new(house.admit().unwrap().0)).collect();
        assert!(house.admit().is_none());
        drop(busy);
        assert!(house.admit().is_some());
    }

    /// The preface, settings, and a GET on stream 1.
    const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01x";
    const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0 a ping ";
    const PATIENCE: Duration = Duration::from_secs(75);

    async fn connect() -> TcpStream {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = axum_server::from_tcp(listener).unwrap().acceptor(Door::new(8, PATIENCE, false));
        let long = get(|| async { "x".repeat(1 << 16) });
        let app = Router::new().route("/", get(|| async { "ok" })).route("/long", long);
        tokio::spawn(server.serve(app.into_make_service()));
        TcpStream::connect(address).await.unwrap()
    }

    /// Reads until the answer is there, and gives how long it takes until the connection ends.
    async fn time_to_end(stream: &mut (impl AsyncRead + Unpin), answer: &[u8]) -> Duration {
        let mut read = Vec::new();
        while !read.windows(answer.len()).any(|window| window == answer) {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "{read:?}");
        }
        let answered = Instant::now();
        // Closed, or reset where a ping was not read any more.
        let _ = stream.read_to_end(&mut read).await;
        answered.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_asks_for_nothing_ends_over_http_1_and_2() {
        let second = Duration::from_secs(1);
        for (request, answer) in [(&b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..], &b"ok"[..]), (HTTP2, b"ok")] {
            let mut stream = connect().await;
            stream.write_all(request).await.unwrap();
            let time = time_to_end(&mut stream, answer).await;
            assert!((PATIENCE..PATIENCE + second).contains(&time), "{time:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_no_answer_is_shown_out_too() {
        let mut stream = connect().await;
        let asks = b"GET /long HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1 << 10);
        // More than the connection holds, so that the next answer waits for room.
        let asking = async { while stream.write_all(&asks).await.is_ok() {} };
        tokio::time::timeout(PATIENCE * 10, asking).await.expect("the connection ends");
    }

    #[tokio::test(start_paused = true)]
    async fn pings_are_no_requests() {
        let (mut reader, mut writer) = connect().await.into_split();
        writer.write_all(HTTP2).await.unwrap();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(10));
            while writer.write_all(PING).await.is_ok() {
                ticks.tick().await;
            }
        });
        assert!(time_to_end(&mut reader, b"ok").await < PATIENCE + Duration::from_secs(1));
    }
}
