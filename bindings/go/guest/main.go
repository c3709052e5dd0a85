// SPDX-License-Identifier: MIT

// A guest's program over libxvs, by cgo.
//
//	guest call CID PORT     standard input to whoever listens there, and the answer to standard output
//	guest serve PORT        an echo, for one caller after the other
package main

// #cgo LDFLAGS: -lxvs
// #include <stdlib.h>
// #include <sys/socket.h>
// #include <errno.h>
// #include <xvs.h>
import "C"

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

func problem(what string, err C.int) error {
	return fmt.Errorf("%s: %w", what, syscall.Errno(-err))
}

// ended says how a stream has ended, with the reason that somebody gave.
func ended(s *C.struct_xvs_stream) error {
	err := C.xvs_stream_error(s)
	if err == 0 {
		return nil
	}
	var detail C.uint
	reason := C.xvs_stream_reason(s, &detail)
	return fmt.Errorf("%w: %s (%d)", syscall.Errno(-err), C.GoString(C.xvs_reason_text(reason)), detail)
}

func call(x *C.struct_xvs, cid uint64, port uint32, input []byte) error {
	var s *C.struct_xvs_stream
	if err := C.xvs_wait_up(x, 10000); err != 0 {
		return problem(C.GoString(C.xvs_reason(x)), err)
	}
	if err := C.xvs_connect(x, C.uint64_t(cid), C.uint32_t(port), &s); err != 0 {
		return problem("connecting", err)
	}
	defer C.xvs_stream_close(s)

	// Both ways at once: who answers while he reads must not have to wait for us.
	buffer := make([]byte, 65536)
	var event C.struct_xvs_event
	sent, shut := 0, false
	for {
		n := C.ssize_t(0)
		for n >= 0 && sent < len(input) {
			if n = C.xvs_send(s, unsafe.Pointer(&input[sent]), C.size_t(len(input)-sent), 0); n > 0 {
				sent += int(n)
			}
		}
		if sent == len(input) && !shut {
			shut = C.xvs_shutdown(s, C.SHUT_WR) == 0
		}
		for {
			if n = C.xvs_recv(s, unsafe.Pointer(&buffer[0]), C.size_t(len(buffer)), 0); n <= 0 {
				break
			}
			os.Stdout.Write(buffer[:n])
		}
		if n != -C.EAGAIN && n != -C.ENOTCONN {
			return ended(s)
		}
		if err := C.xvs_wait(x, -1); err < 0 && err != -C.EINTR {
			return problem("the device", err)
		}
		for C.xvs_next_event(x, &event) {
		}
	}
}

func serve(x *C.struct_xvs, port uint32) error {
	var listener *C.struct_xvs_listener
	var s *C.struct_xvs_stream
	if err := C.xvs_listen(x, C.uint32_t(port), 16, &listener); err != 0 {
		return problem("listening", err)
	}
	if err := C.xvs_wait_up(x, 10000); err != 0 {
		return problem(C.GoString(C.xvs_reason(x)), err)
	}
	fmt.Println("ready")
	buffer := make([]byte, 65536)
	for {
		if err := C.xvs_accept_wait(listener, -1, &s); err != 0 {
			return problem("accepting", err)
		}
		for {
			n := C.xvs_recv_wait(s, unsafe.Pointer(&buffer[0]), C.size_t(len(buffer)), -1)
			if n <= 0 || C.xvs_send_all(s, unsafe.Pointer(&buffer[0]), C.size_t(n), -1) != 0 {
				break
			}
		}
		C.xvs_stream_close(s)
	}
}

func run() error {
	// A device belongs to one thread at a time, and the words of an error to the thread that had it.
	runtime.LockOSThread()
	var x *C.struct_xvs
	if err := C.xvs_open(nil, &x); err != 0 {
		return problem(C.GoString(C.xvs_open_error()), err)
	}
	defer C.xvs_close(x)
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		port, err := strconv.ParseUint(os.Args[2], 10, 32)
		if err != nil {
			return err
		}
		return serve(x, uint32(port))
	}
	if len(os.Args) != 4 || os.Args[1] != "call" {
		return fmt.Errorf("usage: guest call CID PORT | guest serve PORT")
	}
	cid, err := strconv.ParseUint(os.Args[2], 10, 64)
	if err != nil {
		return err
	}
	port, err := strconv.ParseUint(os.Args[3], 10, 32)
	if err != nil {
		return err
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	return call(x, cid, uint32(port), input)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		os.Exit(1)
	}
}
