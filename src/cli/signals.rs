//! The first SIGINT or SIGTERM asks for a drain, the second ends it at once.

use std::fmt;
use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::signal::unix::{self, SignalKind};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// The same signal again this soon is the same request: `timeout` of the coreutils sends each twice, to the process and
/// to its group, and a drain that has not even begun must not be cut short by that.
const ECHO: Duration = Duration::from_millis(20);

/// Which one came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: an orchestrator.
    Terminate,
}

impl Signal {
    /// 128 and the signal's number, as shells do.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// Both signals, from the moment of `listen` on: none that comes later is missed, none kills the process any more.
#[derive(Debug)]
pub struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
}

impl Signals {
    /// Takes the signals over. Must be called inside a runtime.
    pub fn listen() -> io::Result<Self> {
        let interrupt = unix::signal(SignalKind::interrupt())?;
        let terminate = unix::signal(SignalKind::terminate())?;
        Ok(Self {
            interrupt,
            terminate,
        })
    }

    /// What `work` came to. The first signal cancels `stop`; a second one is returned, and `work` is dropped where it is.
    pub async fn guard<T>(
        mut self,
        work: impl Future<Output = T>,
        stop: CancellationToken,
    ) -> Result<T, Signal> {
        let mut work = pin!(work);
        let first = tokio::select! {
            biased;
            signal = self.next() => signal,
            done = work.as_mut() => return Ok(done),
        };
        let came = Instant::now();
        info!(signal = %first, "stopping");
        stop.cancel();
        loop {
            let signal = tokio::select! {
                biased;
                signal = self.next() => signal,
                done = work.as_mut() => return Ok(done),
            };
            if signal == first && came.elapsed() < ECHO {
                continue;
            }
            warn!(%signal, "stopped at once");
            return Err(signal);
        }
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}
