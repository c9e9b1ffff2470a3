//! Waits for work on the daemon, shows meanwhile what is told of it, and listens to Ctrl-C.

use std::pin::Pin;
use std::time::Duration;

use drydock_build::{CancellationToken, Event};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::explain::Observed;
use crate::report::{Clock, Reporter};
use crate::shell::Shell;

/// How often clocks are redrawn.
const TICK: Duration = Duration::from_millis(100);

/// What one can wait with.
pub(super) struct Watch<'s> {
    pub(super) shell: &'s mut Shell,
    pub(super) reporter: Option<Box<dyn Reporter>>,
    /// How long each stage ran.
    pub(super) clock: Clock,
    /// Which steps ran.
    pub(super) observed: Observed,
    /// Cancelled by the first Ctrl-C.
    pub(super) cancel: CancellationToken,
    /// Whether Ctrl-C came.
    pub(super) interrupted: bool,
    interrupts: Interrupts,
    sender: UnboundedSender<Event>,
    events: UnboundedReceiver<Event>,
}

/// Ctrl-C came while nothing had begun that must be stopped first, or came twice: nothing more is waited for.
#[derive(Debug)]
pub(super) struct Abandoned;

impl<'s> Watch<'s> {
    pub(super) fn new(reporter: Option<Box<dyn Reporter>>, clock: Clock, shell: &'s mut Shell) -> Self {
        let (sender, events) = unbounded_channel();
        let interrupts = Interrupts::new();
        Self {
            shell,
            reporter,
            clock,
            observed: Observed::default(),
            cancel: CancellationToken::new(),
            interrupted: false,
            interrupts,
            sender,
            events,
        }
    }

    /// Where work tells what happens.
    pub(super) fn sender(&self) -> UnboundedSender<Event> {
        self.sender.clone()
    }

    /// Says what goes on, until something is heard of it.
    pub(super) fn begins(&mut self, verb: &'static str, what: &str) {
        if let Some(reporter) = &mut self.reporter {
            reporter.begins(verb, what, self.shell);
        }
    }

    /// Waits for work that nobody misses when it is dropped: Ctrl-C ends it at once.
    pub(super) fn idly<T>(&mut self, work: impl Future<Output = T>) -> impl Future<Output = Result<T, Abandoned>> {
        self.until(Box::pin(work), false)
    }

    /// Waits for work that stops what it began on the daemon when [`cancel`](Self::cancel) is cancelled: the second
    /// Ctrl-C stops waiting for that.
    pub(super) fn patiently<T>(&mut self, work: impl Future<Output = T>) -> impl Future<Output = Result<T, Abandoned>> {
        self.until(Box::pin(work), true)
    }

    async fn until<T>(&mut self, mut work: Pin<Box<impl Future<Output = T>>>, patient: bool) -> Result<T, Abandoned> {
        let mut ticks = tokio::time::interval(TICK);
        let result = loop {
            tokio::select! {
                biased;
                () = self.interrupts.next() => {
                    if std::mem::replace(&mut self.interrupted, true) || !patient {
                        break Err(Abandoned);
                    }
                    self.cancel.cancel();
                }
                Some(event) = self.events.recv() => self.show(&event),
                result = &mut work => break Ok(result),
                _ = ticks.tick() => {
                    if let Some(reporter) = &mut self.reporter {
                        reporter.tick(self.shell);
                    }
                }
            }
        };
        while let Ok(event) = self.events.try_recv() {
            self.show(&event);
        }
        result
    }

    /// Takes in what happened.
    pub(super) fn show(&mut self, event: &Event) {
        self.clock.event(event);
        self.observed.event(event);
        if let Some(reporter) = &mut self.reporter {
            reporter.event(event, self.shell);
        }
    }

    /// Takes what is drawn off the screen.
    pub(super) fn finish(&mut self) {
        if let Some(mut reporter) = self.reporter.take() {
            reporter.finish(self.shell);
        }
    }
}

/// Ctrl-C, and on Unix also the request to terminate.
struct Interrupts {
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
}

impl Interrupts {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok(),
        }
    }

    /// Waits for the next one. Never, where the system does not let us listen.
    async fn next(&mut self) {
        let interrupt = async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        #[cfg(unix)]
        {
            let terminate = async {
                let came = match &mut self.terminate {
                    Some(signal) => signal.recv().await,
                    None => None,
                };
                if came.is_none() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = interrupt => {}
                () = terminate => {}
            }
        }
        #[cfg(not(unix))]
        interrupt.await;
    }
}
