//! [`Bell`]: wakes the watching thread for notifications, for signals, and to stop it.

#[cfg(target_os = "linux")]
pub(crate) use linux::{Bell, Ringer};
#[cfg(not(target_os = "linux"))]
pub(crate) use other::{Bell, Ringer};

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{Read, Write};
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::net::UnixStream;
    use std::time::Duration;
    use std::{io, slice};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    /// Wakes the thread that waits for the [`Bell`].
    #[derive(Debug)]
    pub(crate) struct Ringer(UnixStream);

    #[derive(Debug)]
    pub(crate) struct Bell(UnixStream);

    impl Bell {
        pub(crate) fn new() -> io::Result<(Bell, Ringer)> {
            let (bell, ringer) = UnixStream::pair()?;
            bell.set_nonblocking(true)?;
            ringer.set_nonblocking(true)?;
            Ok((Bell(bell), Ringer(ringer)))
        }

        /// Waits until the bell rings, there is something to read from `other`, or the time is over.
        pub(crate) fn wait(&mut self, other: Option<BorrowedFd<'_>>, timeout: Duration) {
            let bell = PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::IN);
            let other = other.map(|other| PollFd::from_borrowed_fd(other, PollFlags::IN));
            let timeout = Timespec::try_from(timeout).ok();
            // An interruption does not matter.
            let _ = match other {
                Some(other) => poll(&mut [bell, other], timeout.as_ref()),
                None => poll(slice::from_mut(&mut { bell }), timeout.as_ref()),
            };
            let mut buffer = [0; 64];
            while self
                .0
                .read(&mut buffer)
                .is_ok_and(|length| length == buffer.len())
            {}
        }
    }

    impl Ringer {
        /// Rings the bell. If there is no room for one more ring, it has been rung often enough.
        pub(crate) fn ring(&self) {
            let _ = (&self.0).write(&[0]);
        }

        /// Returns the end that a signal handler may write to.
        #[cfg(feature = "signal")]
        pub(crate) fn for_handler(&self) -> io::Result<UnixStream> {
            self.0.try_clone()
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::io;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use std::time::Duration;

    /// Wakes the thread that waits for the [`Bell`].
    #[derive(Debug)]
    pub(crate) struct Ringer(SyncSender<()>);

    #[derive(Debug)]
    pub(crate) struct Bell(Receiver<()>);

    impl Bell {
        pub(crate) fn new() -> io::Result<(Bell, Ringer)> {
            let (ringer, bell) = sync_channel(1);
            Ok((Bell(bell), Ringer(ringer)))
        }

        /// Waits until the bell rings, or the time is over.
        pub(crate) fn wait(&mut self, timeout: Duration) {
            let _ = self.0.recv_timeout(timeout);
        }
    }

    impl Ringer {
        /// Rings the bell. If there is no room for one more ring, it has been rung often enough.
        pub(crate) fn ring(&self) {
            let _ = self.0.try_send(());
        }
    }
}
