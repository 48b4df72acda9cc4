// Any figure can be enlarged: by a click, a tap, or its button; Escape or the button closes. And what is wider than its
// frame shows at which edge it goes on.
(() => {
  const make = (tag, attributes) => Object.assign(document.createElement(tag), attributes);
  let dialog, frame, opener;

  function build() {
    dialog = make("dialog", { className: "dc-enlarged" });
    dialog.setAttribute("aria-label", "Enlarged figure");
    frame = make("div", { className: "dc-enlarged-frame", tabIndex: 0 });
    frame.setAttribute("role", "group");
    frame.setAttribute("aria-label", "Figure; scrolls if it is larger than the window");
    const close = make("button", { type: "button", className: "dc-close", textContent: "×" });
    close.setAttribute("aria-label", "Close");
    close.addEventListener("click", () => dialog.close());
    dialog.append(close, frame);
    frame.addEventListener("click", (event) => event.target === frame && dialog.close());
    dialog.addEventListener("close", () => {
      frame.replaceChildren();
      opener.focus({ preventScroll: true });
    });
    document.body.append(dialog);
  }

  function enlarge(figure, button) {
    if (!dialog) build();
    opener = button;
    const shown = figure.getBoundingClientRect();
    const copy = figure.cloneNode(true);
    // References lead to the figure on the page; ids must not be there twice.
    for (const element of copy.querySelectorAll("[id]")) element.removeAttribute("id");
    const room = { width: window.innerWidth - 32, height: window.innerHeight - 72 };
    const fits = Math.min(room.width / shown.width, room.height / shown.height);
    const zoom = Math.max(fits, 1.8); // where the window has no room for that, the frame scrolls
    const columns = getComputedStyle(figure).gridTemplateColumns.split(" ").map((width) => parseFloat(width) * zoom);
    copy.removeAttribute("id");
    copy.style.maxWidth = "none";
    copy.style.width = `${shown.width * zoom}px`;
    if (figure.localName === "img") copy.style.height = "auto";
    else {
      copy.style.gridTemplateColumns = columns.map((width) => `${width}px`).join(" ");
      copy.style.gap = `${6 * zoom}px`;
    }
    frame.replaceChildren(copy);
    dialog.showModal();
    frame.scrollTo(0, 0);
  }

  function prepare(figure) {
    const text = figure.getAttribute("alt") ?? figure.getAttribute("aria-label");
    let holder = figure.parentElement;
    if (figure.localName === "img") {
      if (figure.closest("a, button")) return; // it does something else already
      holder = make("span", { className: "dc-picture" });
      figure.replaceWith(holder);
      holder.append(figure);
      Object.assign(holder.style, { display: "block" });
    }
    holder.classList.add("dc-enlargeable");
    const button = make("button", { type: "button", className: "dc-enlarge", textContent: "⤢", title: "Enlarge" });
    button.setAttribute("aria-label", `Enlarge the figure: ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`);
    button.addEventListener("click", () => enlarge(figure, button));
    figure.addEventListener("click", () => enlarge(figure, button));
    holder.append(button);
  }

  function mark(scroller) {
    const beyond = scroller.scrollWidth - scroller.clientWidth;
    scroller.classList.toggle("dc-goes-on", beyond > 1);
    scroller.classList.toggle("dc-goes-on-left", scroller.scrollLeft > 1);
    scroller.classList.toggle("dc-goes-on-right", scroller.scrollLeft < beyond - 1);
    if (beyond > 1 && !scroller.hasAttribute("tabindex")) scroller.tabIndex = 0;
  }

  function start() {
    document.querySelectorAll('.dct-figure > [role="img"], .cell_output img, article figure img').forEach(prepare);
    const sizes = new ResizeObserver((entries) => entries.forEach((entry) => mark(entry.target)));
    for (const scroller of document.querySelectorAll(".dc-table, .pst-scrollable-table-container")) {
      sizes.observe(scroller);
      scroller.addEventListener("scroll", () => mark(scroller), { passive: true });
    }
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
