#!/usr/bin/env python3
"""Downloads a speech emotion corpus, checks it and unpacks it into DEST/<corpus>.

Sources: RAVDESS from Zenodo (size and md5 known) or Kaggle; CREMA-D, TESS, SAVEE and EMO-DB from Kaggle. Kaggle serves
public data sets without a login; credentials are taken from KAGGLE_API_TOKEN, KAGGLE_USERNAME with KAGGLE_KEY,
access_token or kaggle.json in KAGGLE_CONFIG_DIR or ~/.kaggle. An interrupted download continues on the next call.
Exit codes: 0 done, 1 usage, 2 bad input or download, 3 internal error.
"""
import argparse
import base64
import dataclasses
import json
import os
import re
import shutil
import stat
import sys
import traceback

import http_fetch
import safe_unzip

ZENODO = "https://zenodo.org"
KAGGLE = "https://www.kaggle.com"


class InputError(Exception):
    """One line for the user."""


@dataclasses.dataclass(frozen=True)
class Corpus:
    name: str
    clips: int
    pattern: str
    kaggle: str
    licence: str
    zenodo: str = ""
    zenodo_size: int = 0
    zenodo_md5: str = ""
    checksums: str = ""
    official: bool = False
    max_bytes: int = 2 << 30

    def target_of(self, base):
        """The place of a clip below the corpus folder, or None for a file that is none of its clips."""
        match = re.fullmatch(self.pattern, base)
        if not match:
            return None
        actor = match.groupdict().get("actor")
        return "Actor_%s/%s" % (actor, base) if actor else base


CORPORA = {c.name: c for c in (
    Corpus("ravdess", 1440, r"03-01-0[1-8]-0[12]-0[12]-0[12]-(?P<actor>0[1-9]|1\d|2[0-4])\.wav",
           "uwrfkaggler/ravdess-emotional-speech-audio", "CC BY-NC-SA 4.0, Livingstone & Russo 2018",
           "/records/1188976/files/Audio_Speech_Actors_01-24.zip?download=1", 208468073,
           "bc696df654c87fed845eb13823edef8a", "ravdess_speech.sha256", True),
    Corpus("cremad", 7442, r"1\d{3}_[A-Z]{3}_(ANG|DIS|FEA|HAP|NEU|SAD)_(LO|MD|HI|XX|X)\.wav", "ejlok1/cremad",
           "ODbL 1.0 and DbCL 1.0, Cao et al. 2014", checksums="cremad_audiowav.sha256", official=True),
    Corpus("tess", 2800, r"(OAF|OA|YAF)_[a-z]+_(angry|disgust|fear|happy|neutral|ps|sad)\.wav",
           "ejlok1/toronto-emotional-speech-set-tess", "CC BY-NC-ND 4.0, Pichora-Fuller & Dupuis 2020",
           checksums="tess.sha256"),
    Corpus("savee", 480, r"(DC|JE|JK|KL)_(a|d|f|h|n|sa|su)\d\d\.wav",
           "ejlok1/surrey-audiovisual-expressed-emotion-savee", "research only, Haq & Jackson 2009"),
    Corpus("emodb", 535, r"(03|08|09|1[0-6])[ab]\d\d[WLEAFTN][a-z]\.wav",
           "piyushagni5/berlin-database-of-emotional-speech-emodb", "CC0-1.0, Burkhardt et al. 2005",
           checksums="emodb.sha256"),
)}


def say(text):
    print(text, file=sys.stderr)


def config_folder():
    return os.environ.get("KAGGLE_CONFIG_DIR") or os.path.join(os.path.expanduser("~"), ".kaggle")


def read_secret(path):
    """The text of a credentials file (None when absent); warns when others can read it."""
    try:
        with open(path, encoding="utf-8") as f:
            if os.fstat(f.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                say("warning: %s can be read by others; run: chmod 600 %s" % (path, path))
            return f.read(1 << 16)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as e:
        raise InputError("%s: cannot be read: %s" % (path, e)) from None


def basic(user, key):
    return "Basic " + base64.b64encode(("%s:%s" % (user, key)).encode()).decode()


def kaggle_authorization():
    """Value of the Authorization header, or None: public data sets need none."""
    if os.environ.get("KAGGLE_API_TOKEN"):
        return "Bearer " + os.environ["KAGGLE_API_TOKEN"].strip()
    user, key = os.environ.get("KAGGLE_USERNAME"), os.environ.get("KAGGLE_KEY")
    if user and key:
        return basic(user, key)
    if user or key:
        raise InputError("KAGGLE_USERNAME and KAGGLE_KEY must be set together")
    token = read_secret(os.path.join(config_folder(), "access_token"))
    if token and token.strip():
        return "Bearer " + token.strip()
    path = os.path.join(config_folder(), "kaggle.json")
    text = read_secret(path)
    if text is None:
        return None
    try:
        value = json.loads(text)
        user, key = value["username"], value["key"]
    except (ValueError, KeyError, TypeError):
        raise InputError('%s: must be JSON with "username" and "key"' % path) from None
    if not isinstance(user, str) or not isinstance(key, str):
        raise InputError('%s: "username" and "key" must be strings' % path)
    return basic(user, key)


def clean_header(value):
    if value is not None and not re.fullmatch(r"[\x20-\x7e]+", value):
        raise InputError("the Kaggle credentials hold characters that a header cannot carry")
    return value


def plan(corpus, source, base_url):
    """URL, expected size, checksums and headers of the archive."""
    if source == "zenodo":
        base = base_url or os.environ.get("SERENE_ZENODO_URL") or ZENODO
        return base.rstrip("/") + corpus.zenodo, corpus.zenodo_size, {"md5": corpus.zenodo_md5}, {}
    base = base_url or os.environ.get("SERENE_KAGGLE_URL") or KAGGLE
    url = base.rstrip("/") + "/api/v1/datasets/download/" + corpus.kaggle
    authorization = clean_header(kaggle_authorization())
    if authorization and not url.startswith("https:") and not http_fetch.is_loopback(url):
        raise InputError("%s: credentials are sent over https only" % url)
    return url, None, {}, {"Authorization": authorization} if authorization else {}


def clips_in(folder, corpus):
    found = {}
    for _, dirs, names in os.walk(folder):
        dirs.sort()
        found.update({n: None for n in names if corpus.target_of(n)})
    return len(found)


def read_list(path):
    wanted = {}
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            match = re.match(r"([0-9a-f]{64}) [ *](\S+)", line)
            if match:
                wanted[match.group(2)] = match.group(1)
            elif line.strip() and not line.startswith("#"):
                raise InputError("%s line %d: not a sha256 line" % (path, number))
    return wanted


def find_list(corpus, folder):
    folders = [folder] if folder else []
    if os.environ.get("SERENE_DATA"):
        folders.append(os.path.join(os.environ["SERENE_DATA"], "checksums"))
    for candidate in folders if corpus.checksums else []:
        path = os.path.join(candidate, corpus.checksums)
        if os.path.isfile(path):
            return path
    if folder and not os.path.isdir(folder):
        raise InputError("%s: no such folder of checksum lists" % folder)
    return None


def verify_files(corpus, folder, list_path):
    """Compares every clip with the list; differences from an official list are errors, from another one warnings."""
    wanted, problems = read_list(list_path), []
    for name in sorted(wanted):
        target = corpus.target_of(name)
        if target is None:
            raise InputError("%s: %s is not a clip name of %s" % (list_path, ascii(name), corpus.name))
        path = os.path.join(folder, target)
        if not os.path.isfile(path):
            problems.append("%s is missing" % target)
        elif http_fetch.digest(path, "sha256") != wanted[name]:
            problems.append("%s differs" % target)
    if problems:
        text = "%s: %d of %d clips do not agree with %s: %s%s" % (
            folder, len(problems), len(wanted), list_path, "; ".join(problems[:5]), " ..." if problems[5:] else "")
        if corpus.official:
            raise InputError(text)
        say("warning: " + text)
    else:
        say("%s: all %d clips agree with %s" % (folder, len(wanted), list_path))


def already_there(corpus, final, options):
    if not os.path.isdir(final) or options.force:
        return False
    count = clips_in(final, corpus)
    if count != corpus.clips and not (options.allow_incomplete and count):
        raise InputError("%s: exists but holds %d of %d clips; move it away or use --force" % (
            final, count, corpus.clips))
    list_path = find_list(corpus, options.checksums)
    if list_path and options.verify:
        verify_files(corpus, final, list_path)
    say("%s: already there (%d clips)" % (final, count))
    return True


def install(temporary, final):
    """Puts the finished folder in place; a folder to be replaced goes only after the new one stands."""
    old = final + ".old"
    if os.path.isdir(final):
        shutil.rmtree(old, ignore_errors=True)
        os.rename(final, old)
    os.rename(temporary, final)
    shutil.rmtree(old, ignore_errors=True)


def unpack(corpus, archive, final, options):
    with open(archive, "rb") as f:
        start = f.read(64).lstrip().lower()
    if not start.startswith(b"pk"):
        os.remove(archive)
        web = start.startswith((b"<!doctype", b"<html"))
        raise InputError("%s: not a ZIP archive%s; removed" % (
            archive, " but a web page (a login may be needed)" if web else ""))
    temporary = final + ".unpacking"
    shutil.rmtree(temporary, ignore_errors=True)
    written, dropped = safe_unzip.extract(archive, temporary, corpus.target_of, corpus.max_bytes * 2)
    try:
        if written != corpus.clips and not options.allow_incomplete:
            raise InputError("%s: holds %d of %d clips of %s (use --allow-incomplete to take them)" % (
                archive, written, corpus.clips, corpus.name))
        list_path = find_list(corpus, options.checksums)
        if list_path and options.verify:
            verify_files(corpus, temporary, list_path)
        install(temporary, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    copies = ", %d nested copies dropped" % dropped if dropped else ""
    say("%s: %d clips%s" % (final, written, copies))


def get(corpus, options):
    final = os.path.join(options.dest, corpus.name)
    if already_there(corpus, final, options):
        return
    source = options.source or ("zenodo" if corpus.zenodo else "kaggle")
    if source == "zenodo" and not corpus.zenodo:
        raise InputError("%s is not on Zenodo; use --source kaggle" % corpus.name)
    url, size, checksums, headers = plan(corpus, source, options.base_url)
    archive = os.path.join(options.dest, "%s-%s.zip" % (corpus.name, source))
    say("%s: licence %s" % (corpus.name, corpus.licence))
    known = os.path.isfile(archive) and all(http_fetch.digest(archive, k) == v for k, v in checksums.items())
    if not known:
        http_fetch.Download(url, archive, size=size or None, checksums=checksums, headers=headers,
                            retries=options.retries, backoff=options.backoff, timeout=options.timeout,
                            max_bytes=corpus.max_bytes, label=corpus.name, log=say).run()
    unpack(corpus, archive, final, options)
    if not options.keep_archive:
        os.remove(archive)
    print(final)


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(1, "%s: error: %s\n" % (self.prog, message))


def bounded(kind, low, high):
    def parse(text):
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError("must lie in [%s, %s]" % (low, high))
        return value
    return parse


def parse_arguments(arguments):
    parser = Parser(prog="download.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", choices=sorted(CORPORA))
    parser.add_argument("--dest", default=os.environ.get("SERENE_DATA") or "data",
                        help="folder that receives <corpus>/ (default: $SERENE_DATA, else ./data)")
    parser.add_argument("--source", choices=("zenodo", "kaggle"), help="default: zenodo for ravdess, else kaggle")
    parser.add_argument("--base-url", help="another server (also SERENE_ZENODO_URL, SERENE_KAGGLE_URL)")
    parser.add_argument("--checksums", help="folder with per-file sha256 lists (default: $SERENE_DATA/checksums)")
    parser.add_argument("--no-verify", dest="verify", action="store_false", help="skip the per-file check")
    parser.add_argument("--keep-archive", action="store_true", help="keep the ZIP file")
    parser.add_argument("--allow-incomplete", action="store_true", help="accept fewer clips than the corpus has")
    parser.add_argument("--force", action="store_true", help="replace an existing corpus folder")
    parser.add_argument("--retries", type=bounded(int, 0, 100), default=6, help="default: 6")
    parser.add_argument("--backoff", type=bounded(float, 0.0, 60.0), default=1.0, help="first pause, s (default: 1)")
    parser.add_argument("--timeout", type=bounded(float, 0.1, 3600.0), default=30.0, help="per read, s (default: 30)")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse_arguments(arguments)
    try:
        get(CORPORA[options.corpus], options)
        return 0
    except (InputError, http_fetch.FetchError, safe_unzip.UnzipError) as e:
        say("download.py: error: %s" % e)
    except OSError as e:
        say("download.py: error: %s: %s" % (e.filename or options.dest, e.strerror or e))
    except KeyboardInterrupt:
        say("download.py: interrupted; the same command continues")
    except Exception as e:  # pylint: disable=broad-except
        traceback.print_exc()
        say("download.py: internal error: %s" % e)
        return 3
    return 2


if __name__ == "__main__":
    sys.exit(main())
