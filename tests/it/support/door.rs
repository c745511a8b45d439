//! An address that can be opened and shut: while it is shut connections are refused, and nobody else gets the port.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

const BACKLOG: u32 = 128;

/// An address of this machine. It is shut until a listener of it lives.
pub struct Door {
    pub address: SocketAddr,
    // Bound and never listening: it keeps the port while no listener does.
    _reserved: TcpSocket,
}

impl Door {
    /// A free port of the loopback address, shut.
    pub fn new() -> Self {
        let reserved = bound(([127, 0, 0, 1], 0).into());
        let address = reserved.local_addr().expect("a bound address");
        Self {
            address,
            _reserved: reserved,
        }
    }

    /// Open as long as the listener lives.
    pub fn open(&self) -> TcpListener {
        bound(self.address)
            .listen(BACKLOG)
            .expect("the port is ours")
    }
}

fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .set_reuseaddr(true)
        .expect("an option of every socket");
    socket
        .set_reuseport(true)
        .expect("an option of every socket");
    socket.bind(address).expect("a free port");
    socket
}
