// An equation that is wider than the window scrolls in its own frame; a keyboard must be able to reach it then.
(() => {
  const mark = () => {
    for (const frame of document.querySelectorAll("div.math, mjx-container[display]")) {
      if (frame.scrollWidth > frame.clientWidth) frame.tabIndex = 0;
      else frame.removeAttribute("tabindex");
    }
  };
  window.addEventListener("load", async () => {
    if (window.MathJax?.startup?.promise) await window.MathJax.startup.promise;
    mark();
    document.fonts?.ready.then(mark); // fonts that arrive late change widths
    setTimeout(mark, 300);
    window.addEventListener("resize", mark);
  });
})();
