"""How lib/docs/comments.py shows comments to Doxygen."""
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "lib" / "docs"
sys.path.insert(0, str(DOCS))
import comments  # noqa: E402

HEADER = """// What the header is about: a * b < c.
//
//   y = x
#pragma once

namespace serene {

// A kind.
enum class Kind { a, b };

// Two numbers.
struct Pair {
  double first = 0, second = 0;  // in seconds
  int plain = 0;
  // Their sum.
  double sum() const { return first + second; }  // in seconds
};

// Adds.
int add(int a, int b);
int add(int a, int b, int c);

int silent(int a);

}  // namespace serene
"""


class Comments(unittest.TestCase):
    def test_words_go_to_what_they_speak_of(self):
        shown = comments.converted(HEADER, "one.h")
        for part in ("/// @file\n///\n/// What the header is about: a &lowast; b \\< c.",
                     "/// @code{.unparsed}\n///   y = x\n/// @endcode",
                     "double first = 0;  ///< in seconds\n  double second = 0;  ///< in seconds",
                     "/// See the description of Pair.\n  int plain = 0;",
                     "/// Their sum.\n  double sum() const { return first + second; }  ///< in seconds",
                     "/// Adds.\nint add(int a, int b);\n/// Adds.\nint add(int a, int b, int c);\n\nint silent(int a);",
                     "}  // namespace serene"):
            self.assertIn(part, shown)

    def test_nothing_but_comments_changes(self):
        def code(text):
            return "".join(line.split("//")[0] for line in text.split("\n")).replace(" ", "")

        for path in sorted((ROOT / "lib" / "serene").rglob("*.h")):
            text = path.read_text(encoding="utf-8")
            plain = "\n".join(comments.one_field_a_line(text))
            self.assertEqual(code(comments.converted(text, path.name)), code(plain), path)


    def test_every_header_begins_with_words(self):
        # Doxygen asks for words in files alone that have some.
        for path in sorted((ROOT / "lib" / "serene").rglob("*.h")):
            self.assertTrue(path.read_text(encoding="utf-8").startswith("// "), path)

    def test_pages_keep_their_links_to_pages_alone(self):
        text = "[a](layers/overview.md) [core/gemm.h](../serene/core/gemm.h) [c](https://x.y) [d](#e)"
        self.assertEqual(comments.page(text, DOCS, DOCS), "[a](layers/overview.md) core/gemm.h [c](https://x.y) [d](#e)")


if __name__ == "__main__":
    unittest.main()
