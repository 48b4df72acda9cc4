"""Figures that several chapters draw.

Functions that need one set of axes take ``ax`` and return the Axes. The other functions return the Figure. In a
notebook, end the line with a semicolon to show only the figure. The caller's style sheets and other Matplotlib settings
do not change new figures, except the choice of fonts.

A notebook shows figures of these functions, and all that are made in a block of `style`, as part of the page: in its
text colour, with panels that stand one below the other on a phone. They are Matplotlib's figures nevertheless: they can
be changed before the cell ends, and ``figure.savefig`` writes them in any format.
"""

from dctutor.plots._animation import EmbeddingAnimation, embedding_animation
from dctutor.plots._figures import compare, confusion, training_curves
from dctutor.plots._images import image_rows, prototypes
from dctutor.plots._page import described
from dctutor.plots._scatter import embedding
from dctutor.plots._silhouette import silhouette
from dctutor.plots._style import COLOURS, style

__all__ = [
    "COLOURS",
    "EmbeddingAnimation",
    "compare",
    "confusion",
    "described",
    "embedding",
    "embedding_animation",
    "image_rows",
    "prototypes",
    "silhouette",
    "style",
    "training_curves",
]
