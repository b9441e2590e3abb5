"""What users of serene do with it: install it, find it by CMake and pkg-config, take it in as a part, build the examples,
link the shared library, unpack the Debian package.

    SERENE_BUILD=FOLDER run.py      a build with tools; everything is made in FOLDER/packaging, which is emptied first

The folder is always the same, so that ccache knows what it has compiled before.
"""
import array
import math
import os
import pathlib
import re
import shutil
import subprocess
import unittest
import wave

SOURCE = pathlib.Path(__file__).resolve().parents[2]
HERE = SOURCE / "tests" / "packaging"
BUILD = pathlib.Path(os.environ["SERENE_BUILD"]).resolve()
WORK = BUILD / "packaging"
PREFIX = WORK / "prefix"
LIMIT = 900  # seconds after which a command counts as hanging
MODEL = SOURCE / "configs" / "pretrained" / "default.safetensors"
CLIP = WORK / "clip.wav"
LARGEST_LIBRARY = 1_500_000  # bytes, stripped


def run(*command, cwd=None, code=0, **variables) -> str:
    """Its stdout. Fails with everything it said unless it exits with `code`."""
    words = [str(word) for word in command]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=cwd, timeout=LIMIT,
                          env=os.environ | {"LC_ALL": "C.UTF-8"} | {k: str(v) for k, v in variables.items()})
    if done.returncode != code:
        raise AssertionError(f"{' '.join(words)}\nexit {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")
    return done.stdout


def cache_value(name: str) -> str:
    for line in (BUILD / "CMakeCache.txt").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split("=", 1)[1]
    return ""


def configure(source, folder, *options) -> None:
    cached = []
    if shutil.which("ccache"):
        cached = [f"-DCMAKE_{language}_COMPILER_LAUNCHER={HERE / 'cached_compiler.sh'}" for language in ("C", "CXX")]
    run("cmake", "-S", source, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
        f"-DCMAKE_CXX_COMPILER={cache_value('CMAKE_CXX_COMPILER')}", *cached, *options)


def build(source, folder, *options) -> None:
    configure(source, folder, *options)
    run("cmake", "--build", folder)


def on_prefix(prefix=PREFIX) -> list:
    return [f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF"]


def flags(prefix, *options) -> list:
    return run("pkg-config", *options, "serene", PKG_CONFIG_PATH=prefix / "lib" / "pkgconfig").split()


def exports(library) -> list:
    lines = run("nm", "-D", "--defined-only", "-C", library).splitlines()
    return [line.split(" ", 2)[2] for line in lines]


def setUpModule() -> None:
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    samples = [int(6000 * math.sin(math.pi * 4 * i / 16000) * (math.sin(0.06 * i + math.sin(0.002 * i)) + math.sin(0.18 * i)))
               for i in range(32000)]
    with wave.open(str(CLIP), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(16000)
        file.writeframes(array.array("h", samples).tobytes())
    run("cmake", "--install", BUILD, "--prefix", PREFIX)


def expected_answer() -> tuple:
    """(emotion, probability) as the installed program tells."""
    import json
    answer = json.loads(run(PREFIX / "bin" / "serene", "predict", MODEL, CLIP, "--json"))[0]
    return answer["emotion"], max(answer["probabilities"].values())


class Packaging(unittest.TestCase):
    def check_answer(self, text: str) -> None:
        emotion, probability = expected_answer()
        version, told, share = text.split()[:3]
        self.assertEqual(version, run(PREFIX / "bin" / "serene", "--version").split()[1])
        self.assertEqual(told, emotion)
        self.assertAlmostEqual(float(share), probability, places=5)

    def check_part(self, kind: str) -> None:
        """serene as a part of another project: its library is built and nothing else, and nothing of it is installed."""
        folder = WORK / kind
        # Warnings as errors, so that the compiler is called as in the build itself and ccache knows the answers.
        build(HERE / kind, folder, f"-DSERENE_SOURCE={SOURCE}", "-DSERENE_WERROR=ON")
        self.check_answer(run(folder / "consumer", MODEL, CLIP))
        programs = [p.name for p in folder.rglob("*") if p.is_file() and os.access(p, os.X_OK) and "CMakeFiles" not in p.parts
                    and not p.name.endswith((".so", ".sh"))]
        self.assertEqual(programs, ["consumer"])
        targets = run("ninja", "-C", folder, "-t", "targets", "all")
        self.assertNotRegex(targets, r"serene_(cli|server|reference|keras|test|bench)")
        run("cmake", "--install", folder, "--prefix", WORK / (kind + "-prefix"))
        self.assertFalse((WORK / (kind + "-prefix")).exists())

    # ---- the installed tree ----

    def test_installed_files(self):
        names = {str(p.relative_to(PREFIX)) for p in PREFIX.rglob("*") if p.is_file()}
        for wanted in ("bin/serene", "lib/libserene.a", "lib/cmake/serene/sereneConfig.cmake", "lib/pkgconfig/serene.pc",
                       "lib/cmake/serene/sereneConfigVersion.cmake", "include/serene/c_api.h", "include/serene/serene.h",
                       "include/serene/nn/layer.h", "share/man/man1/serene.1", "share/serene/configs/call/call.json",
                       "share/bash-completion/completions/serene", "share/zsh/site-functions/_serene",
                       "share/fish/vendor_completions.d/serene.fish"):
            self.assertIn(wanted, names)
        self.assertEqual([n for n in names if n.startswith("include/") and not n.endswith(".h")], [])
        self.assertNotIn("include/serene/c_api_support.h", names)
        for file in (PREFIX / "lib").rglob("*"):
            if file.suffix in (".cmake", ".pc"):
                self.assertNotIn(str(SOURCE), file.read_text(), file)

    def test_the_program_finds_what_was_installed(self):
        shown = run(PREFIX / "bin" / "serene", "call", CLIP, "--customer-only", "--speed", "max", "--headless", "--out", "off",
                    "--no-history", cwd=WORK)
        self.assertIn('"type":"emotion"', shown)

    def test_the_manual_page_and_completions_name_all_commands_and_options(self):
        serene = PREFIX / "bin" / "serene"
        page = (PREFIX / "share/man/man1/serene.1").read_text().replace("\\-", "-")
        fish = (PREFIX / "share/fish/vendor_completions.d/serene.fish").read_text()
        zsh = (PREFIX / "share/zsh/site-functions/_serene").read_text()
        commands = re.findall(r"^  ([a-z]+) ", run(serene, "--help"), re.MULTILINE)
        self.assertGreater(len(commands), 8)
        completion = PREFIX / "share/bash-completion/completions/serene"

        def completed(*words: str) -> list:
            script = f'. {completion}; COMP_WORDS=({" ".join(words)}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _serene; echo "${{COMPREPLY[@]}}"'
            return run("bash", "-c", script).split()

        self.assertEqual(completed("serene", "trai"), ["train"])
        for command in commands:
            options = set(re.findall(r"^(?:  -\w, |      )(--[\w-]+)", run(serene, command, "--help"), re.MULTILINE))
            self.assertIn("--help", options)
            self.assertEqual(options, set(completed("serene", command, "--")), command)
            section = page.split(f"\n.SH {command.upper()}\n")[1].split("\n.SH ")[0]
            for option in options:
                self.assertIn(f"\\fB{option}\\fR", section)
                self.assertIn(f"'__fish_seen_subcommand_from {command}'", fish)
                self.assertIn(f"'{option}[", zsh.split(f"\n    {command}) ")[1].split(";;")[0])
        if shutil.which("man"):
            self.assertIn("EXIT STATUS", run("man", "--warnings", "-l", PREFIX / "share/man/man1/serene.1", MANWIDTH=100))

    # ---- ways to find it ----

    def test_find_package(self):
        build(HERE / "find_package", WORK / "find_package", *on_prefix())
        self.check_answer(run(WORK / "find_package" / "consumer", MODEL, CLIP))

    def test_find_package_refuses_another_minor_version(self):
        folder = WORK / "newer"
        folder.mkdir()
        text = (HERE / "find_package" / "CMakeLists.txt").read_text().replace("serene 0.1", "serene 0.2")
        (folder / "CMakeLists.txt").write_text(text)
        with self.assertRaisesRegex(AssertionError, "considered but not accepted"):
            configure(folder, folder / "build", *on_prefix())

    def test_server_component(self):
        if not (PREFIX / "lib" / "libserene_server.a").exists():
            self.skipTest("built without the dashboard")
        build(HERE / "server", WORK / "server", *on_prefix())
        run(WORK / "server" / "history", WORK / "calls.sqlite")

    def test_pkg_config(self):
        compiler = cache_value("CMAKE_CXX_COMPILER")
        run("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", HERE / "pkg_config" / "main.c", "-o", WORK / "c_static",
            *flags(PREFIX, "--cflags", "--libs"))
        self.check_answer(run(WORK / "c_static", MODEL, CLIP))
        run(compiler, "-std=c++20", HERE / "consumer.cpp", "-o", WORK / "cpp_static", *flags(PREFIX, "--cflags", "--libs"))
        self.check_answer(run(WORK / "cpp_static", MODEL, CLIP))

    def test_fetch_content(self):
        self.check_part("fetch_content")

    def test_add_subdirectory(self):
        self.check_part("add_subdirectory")

    # ---- the shared library ----

    def test_shared_library(self):
        prefix, folder = WORK / "shared-prefix", WORK / "shared"
        build(SOURCE, folder, "-DBUILD_SHARED_LIBS=ON", "-DSERENE_BUILD_TOOLS=OFF", "-DSERENE_BUILD_TESTS=OFF",
              "-DSERENE_SERVER=OFF")
        run("cmake", "--install", folder, "--prefix", prefix, "--strip")
        library = (prefix / "lib" / "libserene.so").resolve()
        self.assertLess(library.stat().st_size, LARGEST_LIBRARY)
        needed = re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", library))
        self.assertNotRegex(" ".join(needed), "boost|sqlite|ssl")
        self.assertNotRegex(" ".join(run("nm", "-D", library).splitlines()), "sqlite|boost")

        names = exports(library)
        declared = re.findall(r"(serene_\w+)\(", re.sub(r"//.*", "", (SOURCE / "lib/serene/c_api.h").read_text()))
        self.assertGreater(len(declared), 15)
        self.assertEqual(sorted(n for n in names if n.startswith("serene_")), sorted(set(declared)))
        inside = [n for n in names if not n.startswith("serene_") and not re.match(r"(typeinfo (name )?for |vtable for )?serene::", n)]
        self.assertEqual(inside, [])

        self.check_answer(self.with_pkg_config(prefix))
        build(HERE / "find_package", WORK / "find_shared", *on_prefix(prefix))
        self.check_answer(run(WORK / "find_shared" / "consumer", MODEL, CLIP))

    def with_pkg_config(self, prefix) -> str:
        """A C program on the shared library: it links libserene alone."""
        linked = flags(prefix, "--libs")
        self.assertNotIn("-lsndfile", linked)
        self.assertIn("-lsndfile", flags(prefix, "--libs", "--static"))
        run("cc", HERE / "pkg_config" / "main.c", "-o", WORK / "c_shared", *flags(prefix, "--cflags"), *linked)
        return run(WORK / "c_shared", MODEL, CLIP, LD_LIBRARY_PATH=prefix / "lib")

    # ---- the examples ----

    def example(self, name: str, *arguments) -> str:
        folder = WORK / "examples" / name
        build(SOURCE / "lib" / "examples" / name, folder, *on_prefix())
        return run(folder / name, *arguments)

    def test_example_recognise_file(self):
        emotion, probability = expected_answer()
        self.assertRegex(self.example("recognise_file", MODEL, CLIP), rf"{emotion}, {100 * probability:.1f} %")
        run(WORK / "examples/recognise_file/recognise_file", MODEL, WORK / "none.wav", code=2)

    def test_example_live_session(self):
        told = self.example("live_session", MODEL, CLIP, SOURCE / "configs/call/playbook.json")
        self.assertIn('"type":"emotion"', told)
        self.assertIn('"action":"end"', told.splitlines()[-1])

    def test_example_custom_layer(self):
        self.assertIn("gradient check: worst relative error", self.example("custom_layer"))

    def test_example_own_data_loader(self):
        told = self.example("own_data_loader", WORK / "own.safetensors")
        self.assertIn("the last clip sounds excited", told)
        self.assertIn("UAR", told)
        run(PREFIX / "bin" / "serene", "inspect", WORK / "own.safetensors")

    def test_example_c_program(self):
        self.assertIn("the call is over", self.example("c_program", MODEL, CLIP))

    def test_example_block_host(self):
        self.assertIn(" 0 allocations", self.example("block_host", MODEL))

    def test_every_example_is_tested(self):
        names = {p.name for p in (SOURCE / "lib" / "examples").iterdir() if p.is_dir()}
        self.assertEqual({n.removeprefix("test_example_") for n in dir(self) if n.startswith("test_example_")}, names)

    # ---- the Debian packages ----

    def test_debian_packages(self):
        if not shutil.which("dpkg-shlibdeps"):
            self.skipTest("dpkg-dev is not installed")
        folder = WORK / "deb"
        run("cpack", "--config", BUILD / "CPackConfig.cmake", "-G", "DEB", "-B", folder)
        packages = {p.name.split("_")[0]: p for p in folder.glob("*.deb")}
        self.assertEqual(set(packages), {"serene", "libserene-dev"})

        def field(package: str, name: str) -> str:
            return run("dpkg-deb", "-f", packages[package], name).strip()

        for library in ("libc6", "libsndfile1", "libsamplerate0"):
            self.assertIn(library, field("serene", "Depends"))
        self.assertIn("libsndfile1-dev", field("libserene-dev", "Depends"))
        self.assertEqual((field("serene", "Section"), field("libserene-dev", "Section")), ("sound", "libdevel"))

        root = WORK / "root"
        for package in packages.values():
            run("dpkg-deb", "-x", package, root)
        self.assertTrue((root / "usr/share/doc/serene/copyright").read_text().strip().startswith("Apache License"))
        self.assertTrue((root / "usr/share/doc/libserene-dev/copyright").is_file())
        self.assertTrue((root / "usr/lib/libserene.a").is_file())
        program = root / "usr/bin/serene"
        self.check_answer(run(program, "--version").split()[1] + " " + " ".join(map(str, expected_answer())))
        told = run(program, "predict", root / "usr/share/serene/configs/pretrained/default.safetensors", CLIP, cwd=root)
        self.assertIn(expected_answer()[0], told)


if __name__ == "__main__":
    unittest.main(verbosity=2)
