// SPDX-License-Identifier: MIT

// A program of dom0 that reaches guests over the daemon's UNIX sockets (xvsd(8)), with nothing but Go's own library.
//
//	host call GUEST PORT    standard input to whoever listens there, and the answer to standard output
//	host serve PORT         an echo for every guest that connects to CID 2, port PORT
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

func runDir(parts ...string) string {
	dir := os.Getenv("XVS_RUN_DIR")
	if dir == "" {
		dir = "/run/xvs"
	}
	return filepath.Join(append([]string{dir}, parts...)...)
}

// ask says a line to a guest's own socket, and reads the first line of the answer: "" if there is none.
func ask(guest, question string) (*net.UnixConn, *bufio.Reader, string, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: runDir("guest", guest, "vsock"), Net: "unix"})
	if err != nil {
		return nil, nil, "", err
	}
	fmt.Fprintf(conn, "%s\n", question)
	reader := bufio.NewReader(conn)
	line, err := reader.ReadString('\n')
	if err != nil && err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
		conn.Close()
		return nil, nil, "", err
	}
	return conn, reader, strings.TrimSuffix(line, "\n"), nil
}

// answer is ask for a question whose answer is all there is to it.
func answer(guest, question string) string {
	conn, _, line, err := ask(guest, question)
	if err != nil {
		return err.Error()
	}
	conn.Close()
	return line
}

// call opens a stream.  The reader may have bytes of it already; the number is for ended.
func call(guest, port string) (conn *net.UnixConn, reader *bufio.Reader, number string, err error) {
	conn, reader, line, err := ask(guest, "CONNECT "+port)
	if err != nil {
		return nil, nil, "", err
	}
	if !strings.HasPrefix(line, "OK ") {
		conn.Close()
		// A refusal has no words: the daemon knows why.
		return nil, nil, "", fmt.Errorf("port %s of %s: %s", port, guest, answer(guest, "WHY "+port))
	}
	return conn, reader, line[len("OK "):], nil
}

// ended tells whether a stream whose end of file was read has ended in order: a socket does not say.
func ended(guest, number string) error {
	conn, reader, line, err := ask(guest, "WATCH "+number)
	if err != nil {
		return err
	}
	defer conn.Close()
	if strings.HasPrefix(line, "WATCHING ") { // it lives on, until we have closed our end, or the guest's program its
		line, _ = reader.ReadString('\n')
	}
	if !strings.HasPrefix(line, "ENDED "+number+" order") {
		return errors.New(strings.TrimSpace(line))
	}
	return nil
}

func callMain(guest, port string) error {
	conn, reader, number, err := call(guest, port)
	if err != nil {
		return err
	}
	go func() {
		io.Copy(conn, os.Stdin)
		conn.CloseWrite()
	}()
	_, err = io.Copy(os.Stdout, reader)
	conn.Close()
	if err == nil || errors.Is(err, syscall.ECONNRESET) {
		err = ended(guest, number)
	}
	return err
}

func echo(conn *net.UnixConn) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	var cid uint64
	var port uint32
	var guest string
	line, err := reader.ReadString('\n')
	if err == nil {
		_, err = fmt.Sscanf(line, "FROM %d %d %s\n", &cid, &port, &guest)
	}
	if err != nil {
		return
	}
	fmt.Fprintf(os.Stderr, "%s calls\n", guest)
	io.Copy(conn, reader)
}

func serveMain(port string) error {
	name := runDir("any", "vsock_"+port)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		conn, err := listener.AcceptUnix()
		if err != nil {
			return err
		}
		go echo(conn)
	}
}

func main() {
	var err error
	switch {
	case len(os.Args) == 4 && os.Args[1] == "call":
		err = callMain(os.Args[2], os.Args[3])
	case len(os.Args) == 3 && os.Args[1] == "serve":
		err = serveMain(os.Args[2])
	default:
		fmt.Fprintln(os.Stderr, "usage: host call GUEST PORT | host serve PORT")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "host:", err)
		os.Exit(1)
	}
}
