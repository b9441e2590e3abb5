"""The reference: Doxygen over the headers as lib/docs/comments.py shows them, without a single warning."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "lib" / "docs"
BUILD = pathlib.Path(os.environ.get("SERENE_DOCS", ROOT / "build" / "docs"))
DOXYGEN = shutil.which("doxygen")
sys.path.insert(0, str(DOCS))
import comments  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from test_comments import HEADER  # noqa: E402


def doxygen_says(header: str) -> str:
    """Its warnings about one header, with the settings of the reference."""
    with tempfile.TemporaryDirectory() as folder:
        headers = pathlib.Path(folder) / "headers"
        headers.mkdir()
        (headers / "one.h").write_text(comments.converted(header, "one.h"))
        settings = (f"@INCLUDE = {BUILD}/Doxyfile\nINPUT = {headers}\nOUTPUT_DIRECTORY = {folder}\n"
                    "USE_MDFILE_AS_MAINPAGE =\n")
        done = subprocess.run([DOXYGEN, "-"], input=settings, capture_output=True, text=True, timeout=120, check=False)
        return done.stderr


@unittest.skipUnless(DOXYGEN, "no doxygen: the reference is not checked")
class Reference(unittest.TestCase):
    def test_no_warning(self):
        comments.main(ROOT / "lib" / "serene", DOCS, BUILD)
        done = subprocess.run([DOXYGEN, BUILD / "Doxyfile"], capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.returncode, 0)
        self.assertTrue((BUILD / "html" / "index.html").exists())

    def test_a_function_without_words_is_found(self):
        warnings = doxygen_says(HEADER)
        self.assertIn("silent", warnings)
        self.assertEqual(warnings.count("is not documented"), 1, warnings)
        self.assertEqual(doxygen_says(HEADER.replace("int silent", "// Words.\nint silent")), "")


if __name__ == "__main__":
    unittest.main()
