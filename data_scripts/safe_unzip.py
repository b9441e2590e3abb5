"""Extracts chosen members of a ZIP archive without trusting it: no traversal, links, bombs or duplicate copies."""
import os
import re
import shutil
import stat
import zipfile
import zlib

MAX_ENTRIES = 40000
MAX_TOTAL = 8 << 30
MAX_RATIO = 200
RATIO_FREE_BYTES = 1 << 20


class UnzipError(Exception):
    """One line for the user: the archive, the entry and the reason."""


def refuse_name(archive, name):
    parts = name.replace("\\", "/").split("/")
    if "\0" in name or any(ord(c) < 32 for c in name):
        problem = "control characters in a name"
    elif "\\" in name:
        problem = "backslash in a name"
    elif name.startswith("/"):
        problem = "absolute path"
    elif re.match(r"[A-Za-z]:", name):
        problem = "drive letter in a path"
    elif ".." in parts:
        problem = "path leaves the archive"
    else:
        return
    raise UnzipError("%s: unsafe entry %s: %s" % (archive, ascii(name)[:120], problem))


def check_entries(archive, entries, archive_size, max_total):
    if len(entries) > MAX_ENTRIES:
        raise UnzipError("%s: %d entries, more than %d" % (archive, len(entries), MAX_ENTRIES))
    total = packed = 0
    for e in entries:
        refuse_name(archive, e.filename)
        kind = stat.S_IFMT(e.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise UnzipError("%s: unsafe entry %s: a link or special file" % (archive, ascii(e.filename)[:120]))
        if e.flag_bits & 0x1:
            raise UnzipError("%s: entry %s is encrypted" % (archive, ascii(e.filename)[:120]))
        if e.file_size > RATIO_FREE_BYTES and e.file_size > MAX_RATIO * max(e.compress_size, 1):
            raise UnzipError("%s: entry %s unpacks to %d times its size" % (
                archive, ascii(e.filename)[:120], e.file_size // max(e.compress_size, 1)))
        total, packed = total + e.file_size, packed + e.compress_size
    if total > max_total:
        raise UnzipError("%s: unpacks to %d bytes, more than %d" % (archive, total, max_total))
    if packed > archive_size:
        raise UnzipError("%s: entries overlap (they claim %d of %d bytes)" % (archive, packed, archive_size))


def choose(archive, entries, target_of):
    """One entry per target (the one with the shallowest path); equal copies are dropped, unequal ones refused."""
    chosen, dropped = {}, 0
    for e in sorted(entries, key=lambda e: (e.filename.count("/"), e.filename)):
        if e.is_dir():
            continue
        target = target_of(e.filename.rsplit("/", 1)[-1])
        if target is None:
            continue
        first = chosen.setdefault(target.casefold(), (target, e))[1]
        if first is not e:
            if (first.CRC, first.file_size) != (e.CRC, e.file_size):
                raise UnzipError("%s: %s and %s have one name but different content" % (
                    archive, ascii(first.filename), ascii(e.filename)))
            dropped += 1
    return [chosen[k] for k in sorted(chosen)], dropped


def write_member(archive, handle, entry, path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    left = entry.file_size
    with handle.open(entry) as source, open(path, "xb") as out:
        for block in iter(lambda: source.read(1 << 16), b""):
            left -= len(block)
            if left < 0:
                raise UnzipError("%s: entry %s is longer than it claims" % (archive, ascii(entry.filename)))
            out.write(block)
    if left != 0:
        raise UnzipError("%s: entry %s is shorter than it claims" % (archive, ascii(entry.filename)))


def extract(archive, folder, target_of, max_total=MAX_TOTAL):
    """Extracts into `folder` (must not exist). target_of(base name) gives the relative target path or None to skip.

    Returns (files written, duplicate copies dropped). On any problem nothing is left behind.
    """
    if os.path.exists(folder):
        raise UnzipError("%s: exists already" % folder)
    try:
        with zipfile.ZipFile(archive) as handle:
            entries = handle.infolist()
            check_entries(archive, entries, os.path.getsize(archive), max_total)
            members, dropped = choose(archive, entries, target_of)
            needed = sum(e.file_size for _, e in members)
            parent = os.path.dirname(os.path.abspath(folder))
            if needed + (64 << 20) > shutil.disk_usage(parent).free:
                raise UnzipError("%s: needs %.0f MB on the disk" % (folder, needed / 1e6))
            os.mkdir(folder)
            for target, entry in members:
                write_member(archive, handle, entry, os.path.join(folder, target))
            return len(members), dropped
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, ValueError, RuntimeError,
            zlib.error) as e:
        shutil.rmtree(folder, ignore_errors=True)
        raise UnzipError("%s: not a usable ZIP archive: %s" % (archive, e)) from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
