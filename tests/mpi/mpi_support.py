"""Starts the program under mpirun, on this machine or on hosts in network namespaces."""
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
import support
from support import CliTest, Result  # noqa: F401

# Containers and few cores: any user, more ranks than cores, no sleepless waiting, no copies through other processes' memory.
VARIABLES = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
    "OMPI_MCA_hwloc_base_binding_policy": "none",
}
# One line to ask what is missing; None where nothing is.
MISSING = None if shutil.which("mpirun") else "mpirun is not installed (openmpi-bin)"


def environment() -> dict:
    return support.environment() | VARIABLES


def mpirun(ranks: int, *args, launcher=()) -> Result:
    return started([*launcher_of(ranks, launcher), support.program(), *args])


def launcher_of(ranks: int, launcher=()) -> list:
    return ["mpirun", "-n", str(ranks), *launcher]


def started(command: list) -> Result:
    work = support.temp() / "work"
    work.mkdir(exist_ok=True)
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True, cwd=work, env=environment(),
                          timeout=support.LIMIT)
    return Result(done)


AGENT = """#!/bin/sh
# Runs a command "on" a host: in the network namespace of that name, under a host name of its own.
host=$1
shift
exec ip netns exec "$host" unshare --uts sh -c "hostname $host; $*"
"""


class Hosts:
    """Two hosts in network namespaces, joined to this machine by a bridge. Raises OSError without the right to make them."""

    def __init__(self):
        self.tag = f"sm{os.getpid() % 10000}"
        self.network = f"10.{77 + os.getpid() % 100}.{os.getpid() // 100 % 250}"
        self.names = [f"{self.tag}h{i}" for i in (1, 2)]
        self.folder = support.temp() / self.tag
        self.folder.mkdir()

    def ip(self, *args):
        done = subprocess.run(["ip", *args], capture_output=True, text=True)
        if done.returncode != 0:
            raise OSError(f"ip {' '.join(args)}: {done.stderr.strip()}")

    def __enter__(self):
        try:
            self.make()
        except OSError:
            self.__exit__()
            raise
        return self

    def make(self):
        bridge = self.tag + "b"
        self.ip("link", "add", bridge, "type", "bridge")
        self.ip("addr", "add", f"{self.network}.1/24", "dev", bridge)
        self.ip("link", "set", bridge, "up")
        lines = []
        for i, name in enumerate(self.names, 1):
            self.ip("netns", "add", name)
            self.ip("link", "add", f"{self.tag}v{i}", "type", "veth", "peer", "name", "eth0", "netns", name)
            self.ip("link", "set", f"{self.tag}v{i}", "master", bridge, "up")
            self.ip("-n", name, "addr", "add", f"{self.network}.{i + 1}/24", "dev", "eth0")
            self.ip("-n", name, "link", "set", "eth0", "up")
            self.ip("-n", name, "link", "set", "lo", "up")
            lines.append(f"{name} slots=2\n")
        (self.folder / "hosts").write_text("".join(lines))
        agent = self.folder / "agent"
        agent.write_text(AGENT)
        agent.chmod(0o755)

    def launcher(self) -> list:
        options = ["--hostfile", self.folder / "hosts"]
        for name, value in {"plm_rsh_agent": self.folder / "agent", "plm_rsh_no_tree_spawn": 1, "btl": "tcp,self",
                            "btl_tcp_if_include": f"{self.network}.0/24", "oob_tcp_if_include": f"{self.network}.0/24"}.items():
            options += ["--mca", name, value]
        for name in environment():
            if name.startswith("OMPI_") or name in ("HOME", "TERM", "LC_ALL"):
                options += ["-x", name]
        return options

    def __exit__(self, *_):
        for command in [["netns", "del", name] for name in self.names] + [["link", "del", self.tag + "b"]]:
            subprocess.run(["ip", *command], capture_output=True)
