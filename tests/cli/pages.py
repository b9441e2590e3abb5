"""Checks of HTML and SVG files."""
import html.parser
import re
import xml.etree.ElementTree

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(html.parser.HTMLParser):
    """Notes unbalanced tags and anything that would be fetched."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.problems, self.tags, self.text = [], [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("script", "link", "iframe", "object"):
            self.problems.append(f"<{tag}>")
        for name, value in attrs:
            if name in ("src", "href", "xlink:href") and not (value or "").startswith(("#", "data:")):
                self.problems.append(f"{tag} {name}={value}")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        self.text += data


def read_page(test, path) -> Page:
    """A page that is well formed and fetches nothing."""
    text = path.read_text(encoding="utf-8")
    test.assertTrue(text.lower().startswith("<!doctype html>"))
    page = Page()
    page.feed(text)
    page.close()
    test.assertEqual(page.problems, [])
    test.assertEqual(page.open, [])
    links = [u for u in re.findall(r"https?://[^\s\"'<>)]+", text) if not u.startswith("http://www.w3.org/")]
    test.assertEqual(links, [])
    test.assertNotIn("@import", text)
    test.assertNotIn("nan", re.findall(r"[a-z]+", page.text), "a NaN shows on the page")
    return page


def read_svg(test, path):
    root = xml.etree.ElementTree.parse(path).getroot()
    test.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
    for element in root.iter():
        for name, value in element.attrib.items():
            test.assertNotRegex(value, r"\bnan\b|\binf\b", f"{element.tag} {name}")
    return root
