// SPDX-License-Identifier: MIT

//! A program of dom0 that reaches guests over the daemon's UNIX sockets (xvsd(8)), with nothing but Rust's own library.
//!
//!     host call GUEST PORT    standard input to whoever listens there, and the answer to standard output
//!     host serve PORT         an echo for every guest that connects to CID 2, port PORT

use std::io::{self, BufRead, BufReader, Error, ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::{env, process, thread};

fn run_dir() -> PathBuf {
    env::var_os("XVS_RUN_DIR").unwrap_or_else(|| "/run/xvs".into()).into()
}

/// Says a line to a guest's own socket, and reads the first line of the answer: empty if there is none.
fn ask(guest: &str, question: &str) -> io::Result<(BufReader<UnixStream>, String)> {
    let mut socket = UnixStream::connect(run_dir().join("guest").join(guest).join("vsock"))?;
    socket.write_all(format!("{question}\n").as_bytes())?;
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    match reader.read_line(&mut line) {
        Err(e) if e.kind() != ErrorKind::ConnectionReset => Err(e),
        _ => Ok((reader, line.trim_end().to_string())),
    }
}

/// A stream, which may have bytes in the reader already, and its number.
fn call(guest: &str, port: &str) -> io::Result<(BufReader<UnixStream>, String)> {
    let (reader, line) = ask(guest, &format!("CONNECT {port}"))?;
    if let Some(number) = line.strip_prefix("OK ") {
        return Ok((reader, number.to_string()));
    }
    // A refusal has no words: the daemon knows why.
    let (_, why) = ask(guest, &format!("WHY {port}"))?;
    Err(Error::new(ErrorKind::ConnectionRefused, format!("port {port} of {guest}: {why}")))
}

/// Whether a stream whose end of file was read has ended in order: a socket does not say.
fn ended(guest: &str, number: &str) -> io::Result<()> {
    let (mut reader, mut line) = ask(guest, &format!("WATCH {number}"))?;
    if line.starts_with("WATCHING ") {
        // It lives on, until we have closed our end, or the guest's program its.
        line.clear();
        reader.read_line(&mut line)?;
    }
    if line.starts_with(&format!("ENDED {number} order")) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::ConnectionReset, line.trim_end()))
}

fn call_main(guest: &str, port: &str) -> io::Result<()> {
    let (mut reader, number) = call(guest, port)?;
    let mut writer = reader.get_ref().try_clone()?;
    let sender = thread::spawn(move || -> io::Result<()> {
        io::copy(&mut io::stdin(), &mut writer)?;
        writer.shutdown(Shutdown::Write)
    });
    let received = io::copy(&mut reader, &mut io::stdout());
    // Where the stream was cut off, the sender hears of it here.
    let _ = reader.get_ref().shutdown(Shutdown::Both);
    let _ = sender.join();
    drop(reader);
    match received {
        Err(e) if e.kind() != ErrorKind::ConnectionReset => Err(e),
        _ => ended(guest, &number),
    }
}

/// FROM cid port name, and then the stream.
fn echo(socket: UnixStream) -> io::Result<()> {
    let mut writer = socket.try_clone()?;
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let words: Vec<&str> = line.split_whitespace().collect();
    if let ["FROM", _cid, _port, guest] = words[..] {
        eprintln!("{guest} calls");
        io::copy(&mut reader, &mut writer)?;
    }
    Ok(())
}

fn serve_main(port: &str) -> io::Result<()> {
    let listener = UnixListener::bind(run_dir().join("any").join(format!("vsock_{port}")))?;
    println!("ready");
    for socket in listener.incoming() {
        let socket = socket?;
        thread::spawn(|| echo(socket));
    }
    Ok(())
}

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["call", guest, port] => call_main(guest, port),
        ["serve", port] => serve_main(port),
        _ => {
            eprintln!("usage: host call GUEST PORT | host serve PORT");
            process::exit(2);
        }
    };
    if let Err(e) = done {
        eprintln!("host: {e}");
        process::exit(1);
    }
}
