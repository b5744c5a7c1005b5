//! Attacks by those who have no certificate, over TCP.

use std::io::Write;
use std::net::{SocketAddr, SocketAddrV4, TcpStream};
use std::time::Duration;

use socket2::SockRef;
use test_support::{Failure, Result};

use crate::arena::{Attack, Course, Target};
use crate::weapons::{Noise, keep_sending};

pub(crate) const ATTACKS: [Attack; 3] = [
    Attack { name: "400 silent connections", run: silent_connections },
    Attack { name: "octets that come one by one", run: slow_octets },
    Attack { name: "lengths that lie, resets in between", run: lies_and_resets },
];

fn connect(target: &Target<'_>) -> Result<TcpStream> {
    target.host.tcp_connection(address(target)?)
}

fn address(target: &Target<'_>) -> Result<SocketAddrV4> {
    match target.server {
        SocketAddr::V4(server) => Ok(server),
        SocketAddr::V6(_) => Err(Failure::new("the server is on IPv4")),
    }
}

fn silent_connections(target: &Target<'_>, course: &Course) -> Result<()> {
    let _held = (0..400).map(|_| connect(target).inspect(|_| course.count())).collect::<Result<Vec<_>>>()?;
    course.is_under_way();
    course.hold();
    Ok(())
}

/// Frames that are promised and come an octet at a time, from connections that come back when they are closed.
fn slow_octets(target: &Target<'_>, course: &Course) -> Result<()> {
    let mut slow = (0..100).map(|_| connect(target)).collect::<Result<Vec<_>>>()?;
    for connection in &slow {
        let _ = (&*connection).write_all(&[4]);
    }
    let mut turn = 0;
    keep_sending(course, 2000, || {
        turn = (turn + 1) % slow.len();
        if slow[turn].write_all(&[turn.to_be_bytes()[7]]).is_err()
            && let Ok(again) = connect(target)
        {
            slow[turn] = again;
        }
    });
    Ok(())
}

fn lies_and_resets(target: &Target<'_>, course: &Course) -> Result<()> {
    let mut noise = Noise::new(9);
    let garbage: [&[u8]; 5] =
        [&[0, 0], &[0xff; 64], b"GET / HTTP/1.1\r\n\r\n", &[0, 3, 0x38, 1, 2], &[0, 14, 0x38, 1, 2, 3]];
    keep_sending(course, 300, || {
        let Ok(mut connection) = connect(target) else { return };
        let _ = connection.write_all(&garbage[noise.below(5)].repeat(1 + noise.below(200)));
        if noise.below(2) == 0 {
            let _ = SockRef::from(&connection).set_linger(Some(Duration::ZERO));
        }
    });
    Ok(())
}
