// A screen reader hears whether a choice is right as soon as it is opened. Everything else works without this.
document.addEventListener(
  "toggle",
  ({ target }) => {
    if (!target.open || !target.dataset.said) return;
    target.parentElement.querySelector(".dc-said").textContent = target.dataset.said;
  },
  true, // this event does not bubble
);
