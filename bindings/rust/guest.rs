// SPDX-License-Identifier: MIT

//! A guest's program over libxvs, by Rust's foreign functions and with no crate.
//!
//!     guest call CID PORT     standard input to whoever listens there, and the answer to standard output
//!     guest serve PORT        an echo, for one caller after the other

use std::ffi::CStr;
use std::io::{self, Read, Write};
use std::os::raw::{c_char, c_int, c_uint, c_void};
use std::{env, process, ptr};

/// What of <xvs.h> is used here.
mod ffi {
    use super::*;

    #[repr(C)]
    pub struct Xvs(u8);
    #[repr(C)]
    pub struct Stream(u8);
    #[repr(C)]
    pub struct Listener(u8);
    #[repr(C)]
    pub struct Event {
        pub what: c_uint,
        pub stream: *mut Stream,
        pub listener: *mut Listener,
        pub user: *mut c_void,
    }

    pub const EINTR: isize = 4;
    pub const EAGAIN: isize = 11;
    pub const ENOTCONN: isize = 107;
    pub const SHUT_WR: c_int = 1;

    #[link(name = "xvs")]
    extern "C" {
        pub fn xvs_open(options: *const c_void, out: *mut *mut Xvs) -> c_int;
        pub fn xvs_open_error() -> *const c_char;
        pub fn xvs_close(x: *mut Xvs);
        pub fn xvs_reason(x: *const Xvs) -> *const c_char;
        pub fn xvs_wait_up(x: *mut Xvs, timeout: c_int) -> c_int;
        pub fn xvs_wait(x: *mut Xvs, timeout: c_int) -> c_int;
        pub fn xvs_next_event(x: *mut Xvs, event: *mut Event) -> bool;
        pub fn xvs_connect(x: *mut Xvs, cid: u64, port: u32, out: *mut *mut Stream) -> c_int;
        pub fn xvs_listen(x: *mut Xvs, port: u32, backlog: c_uint, out: *mut *mut Listener) -> c_int;
        pub fn xvs_accept_wait(l: *mut Listener, timeout: c_int, out: *mut *mut Stream) -> c_int;
        pub fn xvs_send(s: *mut Stream, data: *const c_void, len: usize, flags: c_uint) -> isize;
        pub fn xvs_recv(s: *mut Stream, buffer: *mut c_void, len: usize, flags: c_uint) -> isize;
        pub fn xvs_send_all(s: *mut Stream, data: *const c_void, len: usize, timeout: c_int) -> c_int;
        pub fn xvs_recv_wait(s: *mut Stream, buffer: *mut c_void, len: usize, timeout: c_int) -> isize;
        pub fn xvs_shutdown(s: *mut Stream, how: c_int) -> c_int;
        pub fn xvs_stream_close(s: *mut Stream);
        pub fn xvs_stream_error(s: *const Stream) -> c_int;
        pub fn xvs_stream_reason(s: *const Stream, detail: *mut c_uint) -> c_int;
        pub fn xvs_reason_text(reason: c_int) -> *const c_char;
    }
}

fn words(text: *const c_char) -> String {
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// 0 or a count, or what the negative errno is.
fn check(n: isize) -> io::Result<usize> {
    usize::try_from(n).map_err(|_| io::Error::from_raw_os_error(-n as i32))
}

/// A device, which is closed with it.  Not Send: raw pointers are not, and it belongs to one thread at a time.
struct Device(*mut ffi::Xvs);

impl Device {
    fn open() -> io::Result<Device> {
        let mut x = ptr::null_mut();
        match unsafe { ffi::xvs_open(ptr::null(), &mut x) } {
            0 => Ok(Device(x)),
            err => Err(io::Error::new(io::Error::from_raw_os_error(-err).kind(), words(unsafe { ffi::xvs_open_error() }))),
        }
    }

    fn wait_up(&self) -> io::Result<()> {
        match unsafe { ffi::xvs_wait_up(self.0, 10000) } {
            0 => Ok(()),
            err => Err(io::Error::new(io::Error::from_raw_os_error(-err).kind(), words(unsafe { ffi::xvs_reason(self.0) }))),
        }
    }

    /// Sleeps until something has happened.
    fn wait(&self) -> io::Result<()> {
        let mut event = ffi::Event { what: 0, stream: ptr::null_mut(), listener: ptr::null_mut(), user: ptr::null_mut() };
        let n = unsafe { ffi::xvs_wait(self.0, -1) } as isize;
        if n != -ffi::EINTR {
            check(n)?;
        }
        while unsafe { ffi::xvs_next_event(self.0, &mut event) } {}
        Ok(())
    }

    fn connect(&self, cid: u64, port: u32) -> io::Result<Stream<'_>> {
        let mut s = ptr::null_mut();
        check(unsafe { ffi::xvs_connect(self.0, cid, port, &mut s) } as isize)?;
        Ok(Stream { s, _device: self })
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        unsafe { ffi::xvs_close(self.0) }
    }
}

/// A stream, which cannot outlive its device.
struct Stream<'a> {
    s: *mut ffi::Stream,
    _device: &'a Device,
}

impl Stream<'_> {
    /// How it has ended, with the reason that somebody gave.
    fn ended(&self) -> io::Result<()> {
        let err = unsafe { ffi::xvs_stream_error(self.s) };
        if err == 0 {
            return Ok(());
        }
        let mut detail = 0;
        let reason = unsafe { ffi::xvs_stream_reason(self.s, &mut detail) };
        let text = words(unsafe { ffi::xvs_reason_text(reason) });
        Err(io::Error::new(io::Error::from_raw_os_error(-err).kind(), format!("{text} ({detail})")))
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        unsafe { ffi::xvs_stream_close(self.s) }
    }
}

/// Both ways at once: who answers while he reads must not have to wait for us.
fn call(device: &Device, cid: u64, port: u32, input: &[u8]) -> io::Result<()> {
    device.wait_up()?;
    let stream = device.connect(cid, port)?;
    let (mut sent, mut shut) = (0, false);
    let mut buffer = [0u8; 65536];

    loop {
        while sent < input.len() {
            let rest = &input[sent..];
            let n = unsafe { ffi::xvs_send(stream.s, rest.as_ptr().cast(), rest.len(), 0) };
            if n <= 0 {
                break;
            }
            sent += n as usize;
        }
        if sent == input.len() && !shut {
            shut = unsafe { ffi::xvs_shutdown(stream.s, ffi::SHUT_WR) } == 0;
        }
        let last = loop {
            let n = unsafe { ffi::xvs_recv(stream.s, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
            if n <= 0 {
                break n;
            }
            io::stdout().write_all(&buffer[..n as usize])?;
        };
        if last != -ffi::EAGAIN && last != -ffi::ENOTCONN {
            return stream.ended();
        }
        device.wait()?;
    }
}

fn serve(device: &Device, port: u32) -> io::Result<()> {
    let (mut listener, mut buffer) = (ptr::null_mut(), [0u8; 65536]);

    check(unsafe { ffi::xvs_listen(device.0, port, 16, &mut listener) } as isize)?;
    device.wait_up()?;
    println!("ready");
    loop {
        let mut s = ptr::null_mut();
        check(unsafe { ffi::xvs_accept_wait(listener, -1, &mut s) } as isize)?;
        let stream = Stream { s, _device: device };
        loop {
            let n = unsafe { ffi::xvs_recv_wait(stream.s, buffer.as_mut_ptr().cast(), buffer.len(), -1) };
            if n <= 0 || unsafe { ffi::xvs_send_all(stream.s, buffer.as_ptr().cast(), n as usize, -1) } != 0 {
                break;
            }
        }
    }
}

fn run() -> io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let number = |text: &str| text.parse::<u64>().map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e));
    let device = Device::open()?;

    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["call", cid, port] => {
            let mut input = Vec::new();
            io::stdin().read_to_end(&mut input)?;
            call(&device, number(cid)?, number(port)? as u32, &input)
        }
        ["serve", port] => serve(&device, number(port)? as u32),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "usage: guest call CID PORT | guest serve PORT")),
    }
}

fn main() {
    if let Err(e) = run() {
        eprintln!("guest: {e}");
        process::exit(1);
    }
}
