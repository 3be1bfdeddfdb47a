# SPDX-License-Identifier: LGPL-2.1-or-later
"""conf.py: the site that Sphinx makes of this folder; "meson setup -Dsite=true" builds it.

The pages are written for docutils alone, so that a forge shows them and rst2man makes the manual pages. What the site has
beyond that is made here: links between pages, the colours of code, the titles of manual pages.
"""
import copy
import glob
import os
import posixpath
import re

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

project = "libvirt-hostdev"
author = "The libvirt-hostdev authors"
html_theme = "sphinx_rtd_theme"
html_title = project
html_theme_options = {"navigation_depth": 2, "prev_next_buttons_location": None}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = False
html_show_copyright = False
html_use_index = False  # of words that nobody has marked
smartquotes = False  # options begin with two dashes
highlight_language = "none"

PAGE = re.compile(r"([\w./-]+)\.rst(#.*)?")
log = logging.getLogger(__name__)


class NoContents(Directive):
    """".. contents::" is for forges: the theme has the headings beside each page."""
    option_spec = {"depth": int}

    def run(self):
        return []


class CodeLanguage(SphinxTransform):
    """A block that begins with an element is XML; one that begins with a prompt, a shell's."""
    default_priority = 200

    def apply(self):
        for block in self.document.findall(nodes.literal_block):
            text = block.astext()
            if "language" not in block and re.match(r"<[a-z]|# [a-z]", text):
                block["language"] = "xml" if text.startswith("<") else "console"
                block["force"] = True  # a part of a document is coloured too


class ManualPage(SphinxTransform):
    """rst2man takes a title, a subtitle, and fields; here that is a title with the section, and a sentence."""
    default_priority = 200

    def apply(self):
        if not self.env.docname.startswith("manpages/"):
            return
        page = next(self.document.findall(nodes.section))
        body = page[1]
        fields = next(body.findall(nodes.field_list))
        section = dict(field.astext().split("\n\n") for field in fields)["Manual section"]
        page[0] += nodes.Text(f"({section})")
        title, *rest = [child for child in body if child is not fields]
        page.remove(body)
        page += [nodes.paragraph("", "", *title.children), *rest]


def find_page(env, docname, name):
    """The page that a page means by a file's name: relative to itself, to this folder, or to the one above."""
    places = (posixpath.dirname(docname), "", "..")
    names = [posixpath.normpath(posixpath.join(place, name)) for place in places]
    return next((found for found in [*names, name.removeprefix("docs/")] if found in env.found_docs), None)


def make_link(app, docname, target, *children):
    uri = app.builder.get_relative_uri(docname, target)
    return nodes.reference("", "", *children, refuri=uri, internal=True)


def link_pages(app, doctree, docname):
    """Links to files become links to pages, and so do names of files, and of manual pages with a section."""
    for link in list(doctree.findall(nodes.reference)):
        found = PAGE.fullmatch(link.get("refuri", ""))
        if not found:
            continue
        target = find_page(app.env, docname, found[1])
        if target:
            link["refuri"] = app.builder.get_relative_uri(docname, target) + (found[2] or "")
            link["internal"] = True
        else:
            log.warning("there is no page %s", link["refuri"], location=link)
    for literal in list(doctree.findall(nodes.literal)):
        found = PAGE.fullmatch(literal.astext())
        target = found and find_page(app.env, docname, found[1])
        if target and target != docname and not isinstance(literal.parent, nodes.reference):
            title = copy.deepcopy(app.env.titles[target].children)
            literal.replace_self(make_link(app, docname, target, nodes.inline("", "", *title)))
    for name in list(doctree.findall(nodes.strong)):
        target = "manpages/" + name.astext()
        after = name.next_node(descend=False, siblings=True)
        if target in app.env.found_docs and target != docname and after is not None and after.astext().startswith("("):
            name.replace_self(make_link(app, docname, target, copy.deepcopy(name)))


def tell_meson(app, failure):
    """What the site was made of, folders included, so that a new page is seen. Pages whose source has gone go too."""
    path = os.environ.get("SITE_DEPFILE")
    if not path or failure:
        return
    pages = [app.env.doc2path(name) for name in app.env.found_docs]
    folders = {os.path.dirname(page) for page in pages} | {os.path.join(app.srcdir, name) for name in html_static_path}
    files = {os.path.join(app.srcdir, name) for names in app.env.dependencies.values() for name in names}
    files |= {os.path.join(app.srcdir, "static", name) for name in html_css_files + html_js_files}
    with open(path, "w", encoding="utf-8") as file:
        file.write("docs/html: " + " ".join(sorted({*pages, *folders, *files, __file__})) + "\n")
    for html in glob.glob(os.path.join(app.outdir, "**", "*.html"), recursive=True):
        if os.path.relpath(html, app.outdir).removesuffix(".html") not in app.env.found_docs | {"search"}:
            os.remove(html)
    os.utime(app.outdir)  # ninja compares its time


def setup(app):
    app.add_directive("contents", NoContents, override=True)
    app.add_transform(CodeLanguage)
    app.add_transform(ManualPage)
    app.connect("doctree-resolved", link_pages)
    app.connect("build-finished", tell_meson)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
