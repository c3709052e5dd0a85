# SPDX-License-Identifier: MIT
"""xvs.py: Ansible's way into a Xen guest that has no network: xvs exec and xvs cp, in dom0 or by ssh to it.

A command's exit status is its own.  What is none, that the guest or dom0 cannot be reached, is told apart by what stands on standard error: xvs
exec ends with status 125 and a line of its own, and where ssh is in between a last line with a token says that it was not ssh
that failed.
"""
from __future__ import annotations

import contextlib
import os
import secrets
import selectors
import shlex
import shutil
import subprocess
import tarfile
import tempfile

from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_native, to_text
from ansible.plugins.connection import ConnectionBase
from ansible.utils.display import Display
from ansible.utils.path import makedirs_safe, unfrackpath

DOCUMENTATION = """
name: xvs
short_description: commands and files in Xen guests, over vsock
description:
  - Runs tasks in guests in which xvs-agent runs, with C(xvs exec) and C(xvs cp).  The guests need no network, no sshd and no key.
  - Where Ansible runs in dom0 nothing is to be set but I(ansible_connection=xvs).  Elsewhere I(ansible_xvs_host) names dom0, which is reached by
    ssh.  Whoever connects must be one who may use the guest's sockets there, see xvsd.conf(5).
  - A guest that cannot be reached is unreachable, with the reason that xvs gives.
author: the authors of xvs
extends_documentation_fragment:
  - connection_pipelining
options:
  remote_addr:
    description: The guest - its name, its domid, or cid:N.
    default: inventory_hostname
    vars:
      - name: inventory_hostname
      - name: ansible_host
      - name: ansible_xvs_guest
  remote_user:
    description:
      - As whom commands run in the guest, without a password.  Not set it is whom the agent runs as, root.
    vars:
      - name: ansible_user
      - name: ansible_xvs_user
    ini:
      - section: defaults
        key: remote_user
    env:
      - name: ANSIBLE_REMOTE_USER
    cli:
      - name: user
    keyword:
      - name: remote_user
  device:
    description: Which device of the guest, if it has several.
    type: int
    vars:
      - name: ansible_xvs_device
  executable:
    description: The command xvs in dom0.
    default: xvs
    vars:
      - name: ansible_xvs_executable
    ini:
      - section: xvs_connection
        key: executable
    env:
      - name: ANSIBLE_XVS_EXECUTABLE
  prefix:
    description:
      - What stands before xvs in dom0, such as C(sudo -n), in words as a shell would split them.
    default: ''
    vars:
      - name: ansible_xvs_prefix
    ini:
      - section: xvs_connection
        key: prefix
    env:
      - name: ANSIBLE_XVS_PREFIX
  xvs_host:
    description: The host, [USER@]NAME of its dom0, to which ssh leads.  Not set it is this machine.
    vars:
      - name: ansible_xvs_host
    ini:
      - section: xvs_connection
        key: host
    env:
      - name: ANSIBLE_XVS_HOST
  ssh_executable:
    description: The command ssh.
    default: ssh
    vars:
      - name: ansible_xvs_ssh_executable
    ini:
      - section: xvs_connection
        key: ssh_executable
    env:
      - name: ANSIBLE_XVS_SSH_EXECUTABLE
  ssh_args:
    description:
      - Its options.  By default one connection serves a minute's worth of commands, and nobody is asked for a password.
    default: -o BatchMode=yes -o ControlMaster=auto -o ControlPersist=60s -o ControlPath=~/.ansible/cp/xvs-%C
    vars:
      - name: ansible_xvs_ssh_args
    ini:
      - section: xvs_connection
        key: ssh_args
    env:
      - name: ANSIBLE_XVS_SSH_ARGS
  timeout:
    description: Seconds for connecting to the guest's agent, and for ssh to connect.
    type: int
    default: 10
    vars:
      - name: ansible_xvs_timeout
      - name: ansible_timeout
    ini:
      - section: defaults
        key: timeout
    env:
      - name: ANSIBLE_TIMEOUT
    cli:
      - name: timeout
  retry:
    description: Seconds for which failed attempts to connect are repeated, as while a guest starts.
    type: int
    default: 0
    vars:
      - name: ansible_xvs_retry
  command_timeout:
    description:
      - Seconds after which the guest ends a command, which has the exit status 124 then.  0 for never.
    type: int
    default: 0
    vars:
      - name: ansible_xvs_command_timeout
"""

EXAMPLES = """
# inventory: dom0 itself runs Ansible
web1 ansible_connection=xvs
db1 ansible_connection=xvs ansible_user=admin

# …or two hosts, each with guests
[hall1]
web1
[hall1:vars]
ansible_connection=xvs
ansible_xvs_host=root@hall1.example.org

[hall2]
web1-b ansible_xvs_guest=web1
[hall2:vars]
ansible_connection=xvs
ansible_xvs_host=admin@hall2.example.org
ansible_xvs_prefix="sudo -n"
"""

display = Display()

# Exit statuses of xvs.
EXEC_FAILED = 125
CP_UNREACHABLE = (3, 4, 5, 6)
PIECE = 1 << 16


class Connection(ConnectionBase):
    """Connections to Xen guests by xvs."""

    transport = "xvs"
    has_pipelining = True

    # ---- whom ----

    @property
    def guest(self):
        guest = self.get_option("remote_addr")
        if not guest or guest.startswith("-") or "/" in guest:
            raise AnsibleError(f"xvs: {guest!r} is no guest's name; set ansible_xvs_guest")
        return guest

    @property
    def user(self):
        return self.get_option("remote_user") or None

    def _connect(self):
        if not self._connected:
            display.vvv(f"XVS CONNECTION to {self.guest} by {self.get_option('xvs_host') or 'this machine'}", host=self.guest)
            self._connected = True
        return self

    def close(self):
        """Nothing stays open but what ssh shares, which ends by itself."""
        self._connected = False

    def reset(self):
        self.close()
        self._connect()

    # ---- the words ----

    def _xvs(self, verb, *words):
        """The command in dom0, with the options that all verbs have."""
        argv = shlex.split(self.get_option("prefix") or "") + [self.get_option("executable"), verb]
        device = self.get_option("device")
        if device is not None:
            argv += ["--device", str(device)]
        argv += ["--wait", str(self.get_option("timeout"))]
        if self.get_option("retry"):
            argv += ["--retry", str(self.get_option("retry"))]
        return argv + list(words)

    def _exec(self, shell, *arguments, with_input):
        """A line of a shell in the guest."""
        words = [] if with_input else ["--no-stdin"]
        if self.user:
            words += ["--user", self.user]
        if self.get_option("command_timeout"):
            words += ["--timeout", str(self.get_option("command_timeout"))]
        executable = self._play_context.executable or "/bin/sh"
        return self._xvs("exec", *words, self.guest, "--", executable, "-c", shell, *arguments)

    # ---- a process ----

    @contextlib.contextmanager
    def _process(self, argv, **pipes):
        """Yields the process, whose standard error is collected, and a call that waits for its end: (status, standard error)."""
        host = self.get_option("xvs_host")
        token = None
        if host:
            # Whether a status is ssh's or the command's, the status does not say.
            token = f"xvs-connection-{secrets.token_hex(8)}"
            ssh = [self.get_option("ssh_executable")] + shlex.split(self.get_option("ssh_args") or "")
            self._make_control_dir(ssh)
            line = f"{shlex.join(argv)}; status=$?; printf '\\n%s %s\\n' {token} $status >&2; exit $status"
            argv = ssh + ["-o", f"ConnectTimeout={self.get_option('timeout')}", "-T", host, "exec /bin/sh -c " + shlex.quote(line)]
        display.vvv(f"EXEC {shlex.join(argv)}", host=self.guest)
        with tempfile.TemporaryFile() as said:
            pipes.setdefault("stderr", said)
            try:
                process = subprocess.Popen([to_bytes(word, errors="surrogate_or_strict") for word in argv], **pipes)
            except OSError as why:
                raise AnsibleConnectionFailure(f"xvs: cannot run {argv[0]}: {why.strerror}") from why

            def wait(stderr=None):
                status = process.wait()
                if stderr is None:
                    said.seek(0)
                    stderr = said.read()
                return self._judge_ssh(host, token, status, stderr)

            try:
                yield process, wait
            finally:
                for pipe in process.stdin, process.stdout, process.stderr:
                    if pipe:
                        with contextlib.suppress(OSError):
                            pipe.close()
                if process.poll() is None:
                    process.terminate()
                    process.wait()

    @staticmethod
    def _make_control_dir(ssh):
        for i, word in enumerate(ssh):
            if word.startswith("ControlPath="):
                path = unfrackpath(os.path.dirname(word[len("ControlPath="):]))
                makedirs_safe(path, 0o700)
                ssh[i] = f"ControlPath={os.path.join(path, os.path.basename(word))}"

    @staticmethod
    def _judge_ssh(host, token, status, stderr):
        if not token:
            return status, stderr
        before, mark, after = stderr.rpartition(f"\n{token} ".encode())
        if not mark:
            raise AnsibleConnectionFailure(f"xvs: cannot reach {host} by ssh (status {status}): {to_native(stderr.strip(), errors='replace')}")
        # What ssh itself had to say came behind it; the last word is to be that of xvs, or of the command.
        return status, after.partition(b"\n")[2] + before

    # ---- commands ----

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        prompts = bool(sudoable and self.become and self.become.expect_prompt())
        argv = self._exec(to_text(cmd, errors="surrogate_or_strict"), with_input=in_data is not None or prompts)
        with self._process(argv, stdin=subprocess.PIPE if in_data is not None or prompts else subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE) as (process, wait):
            if prompts:
                self._answer_prompt(process)
            stdout, stderr = process.communicate(in_data)
            status, stderr = wait(stderr)
        if status == EXEC_FAILED:
            self._raise_unless_commands(stderr)
        return status, stdout, stderr

    def _raise_unless_commands(self, stderr):
        """A command may end with 125, too; then the last word is not of xvs."""
        lines = stderr.strip().rsplit(b"\n", 1)
        if lines[-1].startswith(b"xvs exec: "):
            raise AnsibleConnectionFailure(to_native(lines[-1], errors="replace"))

    def _answer_prompt(self, process):
        """Reads until the way to other rights asks for a password, or says that it needs none."""
        said = b""
        with selectors.DefaultSelector() as selector:
            for pipe in process.stdout, process.stderr:
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, selectors.EVENT_READ)
            try:
                while not self.become.check_success(said) and not self.become.check_password_prompt(said):
                    events = selector.select(self.get_option("timeout"))
                    if not events:
                        raise AnsibleError(f"xvs: no prompt for a password has come in time, but: {to_native(said, errors='replace')}")
                    for key, _ in events:
                        piece = key.fileobj.read(PIECE)
                        if not piece:
                            selector.unregister(key.fileobj)
                        said += piece or b""
                    if not selector.get_map():
                        self._raise_unless_commands(said)
                        raise AnsibleError(f"xvs: it ended before it asked for a password: {to_native(said, errors='replace')}")
            finally:
                for pipe in process.stdout, process.stderr:
                    os.set_blocking(pipe.fileno(), True)
        if not self.become.check_success(said):
            password = self.become.get_option("become_pass", playcontext=self._play_context)
            process.stdin.write(to_bytes(password, errors="surrogate_or_strict") + b"\n")
            process.stdin.flush()

    # ---- files ----

    @staticmethod
    def _absolute(path):
        return path if path.startswith("/") else "/" + path

    def _copied(self, what, status, stderr):
        """What xvs cp's status says."""
        if status:
            lines = stderr.strip().rsplit(b"\n", 1)
            why = to_native(lines[-1], errors="replace") or f"status {status}"
            raise (AnsibleConnectionFailure if status in CP_UNREACHABLE else AnsibleError)(f"xvs: cannot {what} {self.guest}: {why}")

    def _executed(self, what, status, stderr):
        if status == EXEC_FAILED:
            self._raise_unless_commands(stderr)
        if status:
            raise AnsibleError(f"xvs: cannot {what} {self.guest} as {self.user}: {to_native(stderr.strip(), errors='replace')}")

    def put_file(self, in_path, out_path):
        super().put_file(in_path, out_path)
        out_path = self._absolute(out_path)
        what = f"put {out_path} into"
        display.vvv(f"PUT {in_path} TO {out_path}", host=self.guest)
        try:
            source = open(to_bytes(in_path, errors="surrogate_or_strict"), "rb")
        except FileNotFoundError as why:
            raise AnsibleFileNotFound(f"xvs: there is no {in_path} to be put") from why
        with source:
            if self.user:
                # The agent's own service has the rights of the agent.
                argv = self._exec('exec cat >"$0"', out_path, with_input=True)
                with self._process(argv, stdin=source, stdout=subprocess.DEVNULL) as (_, wait):
                    self._executed(what, *wait())
                return
            folder, name = os.path.split(out_path)
            argv = self._xvs("cp", "--quiet", "-", f"{self.guest}:{folder}")
            with self._process(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as (process, wait):
                # A pipe that breaks is explained by the status.
                with contextlib.suppress(BrokenPipeError):
                    self._pack(source, name, process.stdin)
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
                self._copied(what, *wait())

    @staticmethod
    def _pack(source, name, to):
        found = os.fstat(source.fileno())
        with tarfile.open(fileobj=to, mode="w|", format=tarfile.PAX_FORMAT, errors="surrogateescape") as tar:
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = found.st_size, found.st_mode & 0o777, found.st_mtime
            tar.addfile(member, source)

    def fetch_file(self, in_path, out_path):
        super().fetch_file(in_path, out_path)
        in_path = self._absolute(in_path)
        what = f"fetch {in_path} from"
        display.vvv(f"FETCH {in_path} TO {out_path}", host=self.guest)
        with open(to_bytes(out_path, errors="surrogate_or_strict"), "wb") as target:
            if self.user:
                argv = self._exec('exec cat <"$0"', in_path, with_input=False)
                with self._process(argv, stdin=subprocess.DEVNULL, stdout=target) as (_, wait):
                    self._executed(what, *wait())
                return
            argv = self._xvs("cp", "--quiet", "--dereference", f"{self.guest}:{in_path}", "-")
            with self._process(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as (process, wait):
                is_file = self._unpack(process.stdout, target)
                self._copied(what, *wait())
            if not is_file:
                raise AnsibleError(f"xvs: cannot {what} {self.guest}: it is no file")

    @staticmethod
    def _unpack(archive, target):
        """The one file of an archive.  A guest may send anything: of its names nothing is used."""
        is_file = False
        try:
            with tarfile.open(fileobj=archive, mode="r|") as tar:
                for member in tar:
                    if is_file or not member.isreg():
                        is_file = False
                        break
                    is_file = True
                    shutil.copyfileobj(tar.extractfile(member), target, PIECE)
        except tarfile.TarError:
            is_file = False         # the status says more
        while archive.read(PIECE):
            pass
        return is_file
