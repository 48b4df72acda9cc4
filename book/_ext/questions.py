"""The directive ``question``: choices, each of which says when it is opened whether it is right, and why.

.. code-block:: markdown

    :::{question} Where does (9) push a code that lies midway between two centres?
    :label: q-dec-torn

    1. To the nearer centre.
    2. Nowhere.

    <details><summary>Answers</summary>

    1. Midway there is no nearer one.
    2. Right: the two pulls cancel.

    </details>
    :::

Where the book is not built, as in Colab, this is a question with its choices and a fold with the answers. Exactly one
answer begins with "Right:". A choice is a paragraph without links; an answer may hold anything.

With colons instead of backticks around it, Colab sets the maths, too.
"""

import re
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

FOLD, END = re.compile(r"<details>\s*<summary>.*</summary>\s*$"), re.compile(r"</details>\s*$")
RIGHT = re.compile(r"Right[:.]")


class Tagged(nodes.General, nodes.Element):
    """An HTML element of any name: ``tag``, and its attributes in ``html``."""


class TaggedText(Tagged, nodes.TextElement):
    """One that holds text and what may stand in a line of it."""


def visit(self: HTML5Translator, node: Tagged) -> None:
    """Open the element."""
    self.body.append(self.starttag(node, node["tag"], "", **node["html"]))


def depart(self: HTML5Translator, node: Tagged) -> None:
    """Close it."""
    self.body.append(f"</{node['tag']}>\n")


def tagged(tag: str, name: str, *children: nodes.Node, ids: tuple[str, ...] = (), **html: str) -> Tagged:
    """Make an element with a class."""
    facts = {"tag": tag, "html": html, "classes": [name], "ids": list(ids)}
    return TaggedText("", "", *children, **facts) if tag in ("p", "span") else Tagged("", *children, **facts)


class Question(SphinxDirective):
    """A question with choices; errors name the question's label."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec: ClassVar = {"label": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Read the choices and the answers, and pair them."""
        label = self.options.get("label", "")
        if not re.fullmatch(r"q-[a-z0-9-]+", label):
            raise self.error(f'question: expected a label such as "q-dec-torn", got "{label}"')
        asked = self.env.dc_questions
        if label in asked:
            raise self.error(f"question {label}: the label is taken, in {asked[label]}")
        asked[label] = self.env.docname

        lines = list(self.content)
        starts = [i for i, line in enumerate(lines) if FOLD.match(line.strip())]
        ends = [i for i, line in enumerate(lines) if END.match(line.strip())]
        if len(starts) != 1 or len(ends) != 1 or ends[0] < starts[0]:
            raise self.error(
                f"question {label}: expected the answers between <details><summary>Answers</summary> and </details>"
            )
        body, choices = self._list(0, starts[0], label, "choices")
        stray, reasons = self._list(starts[0] + 1, ends[0], label, "answers")
        if stray or any(line.strip() for line in lines[ends[0] + 1 :]):
            raise self.error(f"question {label}: expected nothing but a list between and behind <details>")
        if len(choices) < 2 or len(choices) != len(reasons):
            raise self.error(
                f"question {label}: expected two or more choices, each with an answer, "
                f"got {len(choices)} choices and {len(reasons)} answers"
            )
        if not all(item.astext().strip() for item in (*choices, *reasons)):
            raise self.error(f"question {label}: expected a text for each choice and each answer, got an empty one")
        for choice in choices:
            if len(choice) != 1 or not isinstance(choice[0], nodes.paragraph):
                raise self.error(f"question {label}: expected one paragraph per choice, got {len(choice)} blocks")
            if any(choice.findall(lambda node: isinstance(node, nodes.reference | pending_xref))):
                raise self.error(f"question {label}: expected choices without links, which belong in the answers")
        right = [bool(RIGHT.match(reason.astext())) for reason in reasons]
        if sum(right) != 1:
            raise self.error(f'question {label}: expected one answer that begins with "Right:", got {sum(right)}')

        stem, messages = self.state.inline_text(self.arguments[0], self.lineno)
        title = tagged("p", "admonition-title", nodes.Text("Question"))
        stem_paragraph = tagged("p", "dc-stem", *stem, ids=(f"{label}-stem",))
        whole = tagged(
            "div",
            "dc-question",
            title,
            stem_paragraph,
            *body,
            *(self._choice(*pair, n) for n, pair in enumerate(zip(choices, reasons, right, strict=True), 1)),
            # What a screen reader says when a choice is opened; empty until then.
            tagged("p", "dc-said", role="status"),
            role="group",
            **{"aria-labelledby": f"{label}-stem"},
        )
        whole["classes"].insert(0, "admonition")
        whole["names"].append(label)
        self.state.document.note_explicit_target(whole, whole)
        return [whole, *messages]

    def _list(self, start: int, end: int, label: str, what: str) -> tuple[list[nodes.Node], list[nodes.Element]]:
        """Parse lines that end in a list: what stands before it, and its items."""
        parsed = nodes.Element()
        self.state.nested_parse(self.content[start:end], self.content_offset + start, parsed)
        if not parsed.children or not isinstance(parsed[-1], nodes.enumerated_list | nodes.bullet_list):
            raise self.error(f"question {label}: expected a list of {what}")
        *before, items = parsed.children
        return before, [item for item in items.children if isinstance(item, nodes.Element)]

    def _choice(self, choice: nodes.Element, reason: nodes.Element, right: bool, number: int) -> Tagged:
        """Fold a reason behind its choice."""
        # In a summary no paragraph may stand, so its parts go there.
        words = tagged("span", "dc-words", *choice[0].children)
        first = reason.children[0]
        if right and isinstance(first, nodes.TextElement) and isinstance(first[0], nodes.Text):
            word = RIGHT.match(first[0].astext())[0]
            first[:1] = [nodes.strong("", word), nodes.Text(first[0].astext()[len(word) :])]
        elif not right:
            said = nodes.strong("", "Not this one.")
            if isinstance(first, nodes.paragraph):
                first[:0] = [said, nodes.Text(" ")]
            else:
                reason.insert(0, nodes.paragraph("", "", said))
        return tagged(
            "details",
            "dc-right" if right else "dc-wrong",
            tagged("summary", "dc-choice", words),
            tagged("div", "dc-reason", *reason.children),
            **{"data-said": f"Choice {number}: {'right' if right else 'not this one'}."},
        )


def begin(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Start the list of labels."""
    if not hasattr(env, "dc_questions"):
        env.dc_questions = {}


def forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Free the labels of a page that is read again."""
    asked = getattr(env, "dc_questions", {})
    env.dc_questions = {label: page for label, page in asked.items() if page != docname}


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    for node in (Tagged, TaggedText):
        app.add_node(node, html=(visit, depart))
    app.add_directive("question", Question)
    app.connect("env-before-read-docs", begin)
    app.connect("env-purge-doc", forget)
    app.add_css_file("questions.css")
    app.add_js_file("questions.js", loading_method="defer")
    # Labels are unique in the whole book, so that its pages are read in one process.
    return {"parallel_read_safe": False, "parallel_write_safe": True}
