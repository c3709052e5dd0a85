# SPDX-License-Identifier: MIT
"""test_plain.py: what needs no Xen: the binding beside the header, and the host's side beside daemons that are none."""
import asyncio
import contextlib
import ctypes
import os
import pathlib
import pickle
import re
import socket
import subprocess
import tempfile
import threading
import unittest
import unittest.mock

import xvs
from xvs import _host, _libxvs, _reasons

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
HEADER = os.path.join(TOP, "frontend/include/xvs.h")


class Header(unittest.TestCase):
    def test_structs_are_those_of_the_compiler(self):
        kinds = {"xvs_address": _libxvs.Address, "xvs_options": _libxvs.Options, "xvs_device_info": _libxvs.DeviceInfo,
                 "xvs_event": _libxvs.Event, "xvs_stats": _libxvs.Stats}
        lines, ours = [], []
        for name, kind in kinds.items():
            lines.append(f'printf("{name} %zu\\n", sizeof(struct {name}));')
            ours.append(f"{name} {ctypes.sizeof(kind)}")
            for field, _ in kind._fields_:
                lines.append(f'printf("{name}.{field} %zu %zu\\n", offsetof(struct {name}, {field}), sizeof(((struct {name} *)0)->{field}));')
                ours.append(f"{name}.{field} {getattr(kind, field).offset} {getattr(kind, field).size}")
        with tempfile.TemporaryDirectory() as tmp:
            with open(f"{tmp}/x.c", "w") as f:
                f.write("#include <xvs.h>\nint main(void) {" + "\n".join(lines) + "return 0; }\n")
            subprocess.run(["cc", "-I", os.path.dirname(HEADER), "-o", f"{tmp}/x", f"{tmp}/x.c"], check=True)
            theirs = subprocess.run([f"{tmp}/x"], check=True, capture_output=True, text=True).stdout.splitlines()
        self.assertEqual(theirs, ours)

    def test_every_call_that_is_made_is_declared_with_as_many_arguments(self):
        header = re.sub(r"/\*.*?\*/", "", pathlib.Path(HEADER).read_text(), flags=re.S)
        for name, (_, arguments) in _libxvs._CALLS.items():
            found = re.search(rf"\b{name}\(([^)]*(?:\([^)]*\)[^)]*)*)\);", header)
            self.assertTrue(found, name)
            self.assertEqual(0 if found.group(1) == "void" else found.group(1).count(",") + 1, len(arguments), name)

    def test_numbers_are_those_of_the_header(self):
        text = pathlib.Path(HEADER).read_text()
        for name, number in re.findall(r"XVS_REASON_([A-Z]+) = (\d+)", text):
            self.assertEqual(xvs.Reason[name], int(number))
        for name, shift in re.findall(r"#define XVS_EVENT_([A-Z]+) +\(1u << (\d+)\)", text):
            self.assertEqual(xvs.What[name], 1 << int(shift))
        self.assertEqual(len(xvs.What), 7)
        for name, number in re.findall(r"#define XVS_CID_([A-Z]+) +UINT64_C\((\d+)\)", text):
            self.assertEqual(getattr(xvs, f"CID_{name}"), int(number))

    def test_reasons_are_those_of_the_wire(self):
        text = pathlib.Path(TOP, "common/wire/vsockif.h").read_text()
        wire = re.findall(r'X\(([A-Z]+), +(\d+), "([a-z]+)", +"([^"]*)"\)', text)
        self.assertEqual([(r.name, str(int(r)), r.word, r.text) for r in xvs.Reason], wire)
        for reason in xvs.Reason:
            self.assertEqual(_libxvs.library().xvs_reason_text(reason).decode(), reason.text)
            for detail in 0, 1, 127, 128, 255:
                self.assertEqual(_libxvs.library().xvs_stream_reset_with(None, reason, detail) == 0, _reasons.may_be_said(reason, detail))

    def test_the_version_is_the_librarys(self):
        self.assertEqual(xvs.__version__, _libxvs.library().xvs_version().decode())
        self.assertIn(f'version = "{xvs.__version__}"', pathlib.Path(TOP, "bindings/python/pyproject.toml").read_text())


class Words(unittest.TestCase):
    def test_a_reason_that_is_not_known_is_none(self):
        self.assertIs(xvs.Reason(200), xvs.Reason.NONE)
        with self.assertRaises(ValueError):
            xvs.Reason("x")
        for words in "", "status", "status 0", "status 256", "status x", "status -1", "status 1 2", "nobody 3", "what", "status \u0663":
            self.assertEqual(_reasons.parse(words), (xvs.Reason.NONE, 0), words)
        self.assertEqual(_reasons.parse("signal 9"), (xvs.Reason.SIGNAL, 9))

    def test_an_error_is_the_subclass_that_python_has_for_it_and_survives_a_pickle(self):
        error = _reasons.failure(104, "port 1 of web1", xvs.Reason.STATUS, 3)
        self.assertIsInstance(error, ConnectionResetError)
        again = pickle.loads(pickle.dumps(error))
        self.assertEqual((again.errno, again.reason, again.detail, str(again)), (104, xvs.Reason.STATUS, 3, str(error)))
        self.assertIn("exit status 3", str(error))
        self.assertIsInstance(_reasons.failure(32, "x"), BrokenPipeError)
        self.assertIsInstance(_reasons.failure(110, "x"), TimeoutError)

    def test_a_line_of_a_caller_is_believed_to_the_letter_only(self):
        self.assertEqual(_host.from_line(b"FROM 10 1025 web1\n"), (10, 1025, "web1"))
        self.assertEqual(_host.from_line(b"FROM 10 1025 :7\n"), (10, 1025, ":7"))
        for line in (b"", b"FROM 10 1025 web1", b"FROM 10 1025 ../x\n", b"FROM 10 1025 ..\n", b"FROM -1 1 x\n", b"from 1 1 x\n", b"FROM 1 1 x y\n",
                     b"FROM 1  1 x\n", b"FROM 1 1 " + b"x" * 80 + b"\n", b"FROM 1 1 \xff\n"):
            with self.assertRaises(OSError):
                _host.from_line(line)

    def test_no_name_of_a_guest_leads_elsewhere(self):
        for guest in "", "..", ".", "a/b", "../x", "a\0b":
            with self.assertRaises(ValueError):
                xvs.host.connect(guest, 1)
        self.assertEqual(_host.guest_dir("web1", 2, "/r"), "/r/guest/web1:2")
        self.assertEqual(_host.guest_dir(101, 0, "/r"), "/r/cid/101")


class Daemons(unittest.TestCase):
    """Daemons that are none, in a directory whose name is longer than a socket's address."""

    def setUp(self):
        tmp = tempfile.TemporaryDirectory()
        self.addCleanup(tmp.cleanup)
        self.run_dir = os.path.join(tmp.name, "long" * 30)
        self.dir = os.path.join(self.run_dir, "guest", "web1")
        os.makedirs(self.dir)
        os.makedirs(os.path.join(self.run_dir, "any"))

    @contextlib.contextmanager
    def daemon(self, answer):
        """answer(line, connection): what is done with each that connects and says a line."""
        with _host.short(self.dir) as path, socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"{path}/vsock")
            listening.listen(8)

            def serve():
                with contextlib.suppress(OSError):
                    while True:
                        with listening.accept()[0] as connection:
                            line = b""
                            while not line.endswith(b"\n"):
                                piece = connection.recv(1)
                                if not piece:
                                    break
                                line += piece
                            answer(line, connection)

            thread = threading.Thread(target=serve)
            thread.start()
            try:
                yield
            finally:
                listening.shutdown(socket.SHUT_RDWR)
                thread.join()

    def both(self, check):
        """A check of the blocking side, and of asyncio's."""
        check(lambda: xvs.host.connect("web1", 5, 10, run_dir=self.run_dir))
        check(lambda: asyncio.run(asyncio.wait_for(xvs.aio.host.open_connection("web1", 5, run_dir=self.run_dir), 10)))

    def test_without_a_daemon_there_is_no_guest(self):
        def check(call):
            with self.assertRaises(FileNotFoundError) as caught:
                call()
            self.assertIn("xvsd is not running", str(caught.exception))
        self.both(check)
        with self.assertRaises(FileNotFoundError):
            xvs.host.listen("nobody", 1, run_dir=self.run_dir)

    def test_a_daemon_that_knows_connect_alone_refuses_without_a_reason(self):
        def check(call):
            with self.assertRaises(xvs.RefusedError) as caught:
                call()
            self.assertIs(caught.exception.reason, xvs.Reason.NONE)
        with self.daemon(lambda line, connection: None):
            self.both(check)

    def test_what_is_no_answer_is_named(self):
        for said in b"HTTP/1.1 200\n", b"OK\n", b"OK x\n", b"OK 1", b"OK 99999999999\n", b"x" * 100:
            def check(call):
                with self.assertRaises(OSError) as caught:
                    call()
                self.assertIn("in place of 'OK number'", str(caught.exception))
            with self.subTest(said), self.daemon(lambda line, connection: connection.sendall(said)):
                self.both(check)
            os.unlink(os.path.join(self.dir, "vsock"))

    def test_bytes_behind_the_answer_are_the_streams(self):
        def answer(line, connection):
            if line.startswith(b"CONNECT"):
                connection.sendall(b"OK 7\nfirst")
        with self.daemon(answer):
            with xvs.host.connect("web1", 5, 10, run_dir=self.run_dir) as stream:
                self.assertEqual(stream.makefile("rb").read(), b"first")

            async def read():
                reader, writer = await xvs.aio.host.open_connection("web1", 5, run_dir=self.run_dir)
                self.assertEqual(await reader.read(), b"first")
                writer.close()
                await writer.wait_closed()
            asyncio.run(read())

    def test_an_end_that_was_none_in_order_is_an_error(self):
        for said, reason in ((b"ENDED 7 cut the daemon stops (stopped)\n", xvs.Reason.STOPPED), (b"UNKNOWN 7\n", xvs.Reason.NONE),
                             (b"ENDED 7 reset by the guest's program (status 4)\n", xvs.Reason.STATUS)):
            def answer(line, connection):
                connection.sendall(b"OK 7\nhalf" if line.startswith(b"CONNECT") else said if line == b"WATCH 7\n" else b"")
            with self.subTest(said), self.daemon(answer):
                with xvs.host.connect("web1", 5, 10, run_dir=self.run_dir) as stream:
                    self.assertEqual(stream.recv(100), b"half")
                    with self.assertRaises(xvs.ResetError) as caught:
                        stream.recv(100)
                    self.assertIs(caught.exception.reason, reason)
                    stream.close()

                async def read():
                    reader, writer = await xvs.aio.host.open_connection("web1", 5, run_dir=self.run_dir)
                    with self.assertRaises(xvs.ResetError) as caught:
                        await reader.read()
                    self.assertIs(caught.exception.reason, reason)
                    writer.close()
                    with self.assertRaises(ConnectionResetError):
                        await writer.wait_closed()
                asyncio.run(read())
            os.unlink(os.path.join(self.dir, "vsock"))

    def test_a_daemon_that_does_not_answer_is_waited_for_as_long_as_was_said(self):
        held = []
        with self.daemon(lambda line, connection: held.append(connection.dup())):
            with self.assertRaises(TimeoutError):
                xvs.host.connect("web1", 5, 0.05, run_dir=self.run_dir)

            async def wait():
                await asyncio.wait_for(xvs.aio.host.open_connection("web1", 5, run_dir=self.run_dir), 0.05)
            with self.assertRaises((TimeoutError, asyncio.TimeoutError)):
                asyncio.run(wait())
            for one in held:
                one.close()

    def test_a_daemon_with_a_full_backlog_is_tried_again_until_the_time_is_over(self):
        with _host.short(self.dir) as path, socket.socket(socket.AF_UNIX) as listening, contextlib.ExitStack() as stack:
            listening.bind(f"{path}/vsock")
            listening.listen(0)
            with self.assertRaises(BlockingIOError):
                while True:
                    one = stack.enter_context(socket.socket(socket.AF_UNIX))
                    one.setblocking(False)
                    one.connect(f"{path}/vsock")
            with self.assertRaises(TimeoutError):
                xvs.host.connect("web1", 5, 0.05, run_dir=self.run_dir)
            with self.assertRaises(BlockingIOError):
                xvs.host.connect("web1", 5, 0, run_dir=self.run_dir)

            def serve():
                with contextlib.suppress(OSError):
                    while True:
                        with listening.accept()[0] as connection:
                            if connection.recv(100).startswith(b"CONNECT"):
                                connection.sendall(b"OK 7\nhere")
            thread = threading.Thread(target=serve)

            def begin(seconds):
                """Whoever waits for room in the backlog gets it now."""
                stack.close()
                if not thread.ident:
                    thread.start()
            with unittest.mock.patch("xvs.host.time.sleep", begin), xvs.host.connect("web1", 5, 60, run_dir=self.run_dir) as stream:
                self.assertEqual(stream.recv(100), b"here")
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()

    def test_a_socket_that_was_left_behind_is_replaced_and_a_living_one_is_not(self):
        with xvs.host.listen("web1", 5, run_dir=self.run_dir):
            with self.assertRaises(OSError) as caught:
                xvs.host.listen("web1", 5, run_dir=self.run_dir)
            self.assertEqual(caught.exception.errno, 98)
        self.assertEqual(os.listdir(self.dir), [])
        with _host.short(self.dir) as path, socket.socket(socket.AF_UNIX) as left:
            left.bind(f"{path}/vsock_5")
        xvs.host.listen("web1", 5, mode=0o660, run_dir=self.run_dir).close()
        self.assertEqual(os.listdir(self.dir), [])
        open(os.path.join(self.dir, "vsock_5"), "w").close()
        with self.assertRaises(FileExistsError):
            xvs.host.listen("web1", 5, run_dir=self.run_dir)
        self.assertEqual(os.listdir(self.dir), ["vsock_5"])

    def test_a_caller_that_does_not_say_who_he_is_is_nobody(self):
        def knock(line):
            with _host.short(os.path.join(self.run_dir, "any")) as path, socket.socket(socket.AF_UNIX) as caller:
                caller.connect(f"{path}/vsock_5")
                caller.sendall(line)
        with xvs.host.listen_any(5, run_dir=self.run_dir) as listener:
            knock(b"nonsense\n")
            knock(b"")
            knock(b"FROM 10 1025 web1\nhello")
            listener.settimeout(10)
            stream, caller = listener.accept()
            with stream:
                self.assertEqual(caller, (10, 1025, "web1"))
                self.assertEqual(stream.recv(100), b"hello")

        async def serve():
            heard = asyncio.get_running_loop().create_future()

            async def one(reader, writer):
                heard.set_result((writer.get_extra_info("xvs_caller"), await reader.read()))
                writer.close()
            async with await xvs.aio.host.start_server_any(one, 5, run_dir=self.run_dir):
                for line in b"nonsense\n", b"", b"FROM 10 1025 web1\nhello":
                    knock(line)
                self.assertEqual(await asyncio.wait_for(heard, 10), ((10, 1025, "web1"), b"hello"))
        asyncio.run(serve())


if __name__ == "__main__":
    unittest.main()
