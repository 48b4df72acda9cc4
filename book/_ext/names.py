"""Names in single backticks: a link where exactly one documented object is called so, plain code elsewhere."""

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

# Docstrings name what the book documents by its short name or where it is imported from: `DeepClusterer`,
# `dctutor.losses.gaussian_kl`. Sphinx files objects under the module that defines them.


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element) -> nodes.Element | None:
    """Look a `py:obj` up by the last part of its name."""
    if node.get("reftype") != "obj" or node.get("refdomain") != "py":
        return None
    last = node["reftarget"].rpartition(".")[2]
    found = [
        entry
        for name, entry in env.get_domain("py").data["objects"].items()
        # A method's name, such as `fit`, is every estimator's.
        if name.startswith("dctutor.")
        and name.endswith(f".{last}")
        and entry.objtype in {"class", "function"}
        # Where it is defined is another name of where it is handed out.
        and not entry.aliased
    ]
    if len(found) != 1:
        return contnode
    assert app.builder is not None
    uri = app.builder.get_relative_uri(node["refdoc"], found[0].docname)
    return nodes.reference("", "", contnode, internal=True, refuri=f"{uri}#{found[0].node_id}")


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
