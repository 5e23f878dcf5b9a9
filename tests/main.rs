//! The program as its users meet it: the real binary, real files, real sockets, a cloud of its own for every test.
//!
//! Nothing here knows how kroutes is made. A test starts the binary with an environment that holds only what the test puts
//! there, and judges three things: what was printed, how it ended, and what the cloud holds afterwards. The cloud is a
//! `kroutes-lab` in this process, so that a test can be the other writer, the tired server or the missing permission.

mod cli;
