// What playgrounds share: sliders, bars with numbers, points to drag in a plane, and text that is told in time.
// Nothing here has an id, so that a page can hold any number of playgrounds.
window.dcPlaygrounds = window.dcPlaygrounds || (function () {
  "use strict";

  const make = (tag, parent, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    if (parent) parent.append(element);
    return element;
  };

  // A minus sign rather than a hyphen, and no "-0.000".
  const format = (value, digits = 3) => {
    const text = Math.abs(value).toFixed(digits);
    return (value < 0 && Number(text) !== 0 ? "\u2212" : "") + text;
  };

  // Call begin(part, root) for each playground of this name that has not started; part("plane") finds data-part="plane".
  // Without a script the body stays hidden, and the page shows the text for that case alone.
  const start = (name, begin) => {
    document.querySelectorAll(`[data-playground="${name}"]:not([data-started])`).forEach((root) => {
      root.dataset.started = "yes";
      root.querySelector("[data-part=body]").hidden = false;
      begin((part) => root.querySelector(`[data-part=${part}]`), root);
    });
  };

  const button = (parent, text, action) => {
    const made = make("button", parent, "", text);
    made.type = "button";
    made.addEventListener("click", action);
    return made;
  };

  // Return tell(text): show it where screen readers listen, but only once the hand has come to rest.
  // The first text is part of the page and no news.
  const teller = (element, rest = 400) => {
    let clock = null;
    return (text) => {
      clearTimeout(clock);
      if (!element.textContent) element.textContent = text;
      clock = setTimeout(() => {
        if (element.textContent !== text) element.textContent = text;
      }, rest);
    };
  };

  // A slider with its label and its value. The scale is linear, or logarithmic with log: true; show(value) writes it.
  // What the reader sets is rounded by round(value); what set(value) sets stays exact.
  const slider = (parent, { label, min, max, value, log = false, steps = 100, round = Number, show = String, change }) => {
    const box = make("label", parent, "dc-slider"), line = make("span", box);
    make("span", line, "", label);
    const shown = make("strong", line), input = make("input", box);
    Object.assign(input, { type: "range", min: 0, max: steps, step: 1 });
    const at = (place) => (log ? min * (max / min) ** place : min + (max - min) * place);
    const where = (v) => (log ? Math.log(v / min) / Math.log(max / min) : (v - min) / (max - min));
    const self = {
      input,
      value,
      set(next) {
        self.value = next;
        input.value = Math.round(where(next) * steps);
        tell();
      },
    };
    const tell = () => {
      shown.textContent = show(self.value);
      input.setAttribute("aria-valuetext", shown.textContent);
    };
    input.addEventListener("input", () => {
      self.value = Math.min(max, Math.max(min, round(at(Number(input.value) / steps))));
      tell();
      change();
    });
    self.set(value);
    return self;
  };

  // Bars from 0 to 1 with their numbers. rows: {name, colour, striped, apart}, colour being the index of a colour.
  // Return set(values, before): null stands for "no value"; before, if given, puts a mark at each earlier value.
  const bars = (list, rows) => {
    list.classList.add("dc-bars");
    const parts = rows.map(({ name, colour = 1, striped = false, apart = false }) => {
      const item = make("li", list, apart ? "dc-apart" : "");
      make("span", item, "", name);
      const track = make("div", item, "dc-track");
      track.setAttribute("aria-hidden", "true");
      const fill = make("div", track, "dc-fill" + (striped ? " dc-striped" : ""));
      fill.style.setProperty("--dc-own", `var(--dc-${colour})`);
      const mark = make("div", track, "dc-before");
      return { fill, mark, number: make("span", item) };
    });
    const percent = (value) => `${100 * Math.min(1, Math.max(0, value))}%`;
    return (values, before) => parts.forEach(({ fill, mark, number }, i) => {
      const value = values[i];
      fill.style.width = percent(value || 0);
      fill.style.visibility = value > 0 ? "visible" : "hidden";
      number.textContent = value === null ? "\u2013" : format(value);
      mark.hidden = !before || before[i] === null;
      if (!mark.hidden) mark.style.left = percent(before[i]);
    });
  };

  const inSvg = (tag, parent, attributes = {}) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
    parent.append(element);
    return element;
  };

  // A plane that shows x from -wide to wide and y from -high to high, y upwards. Its svg has the same units, y downwards.
  const plane = (stage, { wide, high }) => {
    stage.classList.add("dc-plane");
    stage.style.aspectRatio = `${wide} / ${high}`;
    const svg = inSvg("svg", stage, { viewBox: `${-wide} ${-high} ${2 * wide} ${2 * high}`, "aria-hidden": "true" });
    const within = (value, most) => Math.round(100 * Math.min(most, Math.max(-most, value))) / 100;
    const spot = (event) => {
      const box = stage.getBoundingClientRect();
      const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
      return [wide * (2 * x - 1), high * (1 - 2 * y)];
    };

    // A point to drag by mouse or finger, and to move with the arrow keys (Shift: ten times as far).
    const handle = ({ label, name, colour, at, change }) => {
      const knob = make("div", stage, "dc-handle");
      make("span", knob, "", name);
      if (colour) knob.style.setProperty("--dc-own", `var(--dc-${colour})`);
      knob.tabIndex = 0;
      Object.entries({
        role: "slider",
        "aria-label": label,
        "aria-roledescription": "point in a plane",
        "aria-valuemin": -wide,
        "aria-valuemax": wide,
      }).forEach(([key, value]) => knob.setAttribute(key, value));
      const self = {
        knob,
        at,
        // Write the name on this side of the point, unless the frame would cut it there.
        face(right, up) {
          const [x, y] = self.at;
          knob.classList.toggle("dc-left", x > wide - 1 || (right < 0 && x > 1 - wide));
          knob.classList.toggle("dc-low", y > high - 1 || (up < 0 && y > 1 - high));
        },
        set([x, y]) {
          self.at = [within(x, wide), within(y, high)];
          knob.style.left = `${50 + (50 * self.at[0]) / wide}%`;
          knob.style.top = `${50 - (50 * self.at[1]) / high}%`;
          self.face(1, 1);
          knob.setAttribute("aria-valuenow", self.at[0]);
          knob.setAttribute("aria-valuetext", `x ${format(self.at[0], 2)}, y ${format(self.at[1], 2)}`);
        },
      };
      const move = (next) => {
        self.set(next);
        change();
      };
      let grip = null; // from the pointer to the point, so that the point does not jump to the pointer
      knob.addEventListener("pointerdown", (event) => {
        if (event.button !== 0 || !event.isPrimary) return;
        event.preventDefault();
        knob.focus({ preventScroll: true });
        knob.setPointerCapture(event.pointerId);
        const [x, y] = spot(event);
        grip = [self.at[0] - x, self.at[1] - y];
      });
      knob.addEventListener("pointermove", (event) => {
        if (grip === null) return;
        const [x, y] = spot(event);
        move([x + grip[0], y + grip[1]]);
      });
      ["pointerup", "pointercancel", "lostpointercapture"].forEach((end) =>
        knob.addEventListener(end, () => (grip = null)));
      knob.addEventListener("keydown", (event) => {
        const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
        if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        const step = event.shiftKey ? 1 : 0.1;
        move([self.at[0] + step * way[0], self.at[1] + step * way[1]]);
      });
      self.set(at);
      return self;
    };

    // A click or a tap beside the points, for those who cannot drag.
    const tapped = (action) => stage.addEventListener("click", (event) => {
      if (!event.target.closest(".dc-handle")) action(spot(event));
    });

    const line = (colour, width, dashed) => inSvg("path", svg, {
      fill: "none",
      stroke: colour,
      "stroke-width": width,
      "stroke-linecap": "round",
      "stroke-linejoin": "round",
      "vector-effect": "non-scaling-stroke",
      ...(dashed ? { "stroke-dasharray": "2 6" } : {}),
    });
    const join = (path, [ax, ay], [bx, by]) => path.setAttribute("d", `M${ax} ${-ay}L${bx} ${-by}`);
    const arrow = (path, [ax, ay], [dx, dy], head = 0.35) => {
      const length = Math.hypot(dx, dy);
      if (length < 0.01) return path.setAttribute("d", "");
      const [bx, by] = [ax + dx, ay + dy], size = Math.min(head, 0.6 * length) / length;
      const wing = (side) => [bx - size * (dx + side * 0.6 * dy), by - size * (dy - side * 0.6 * dx)];
      const [lx, ly] = wing(1), [rx, ry] = wing(-1);
      path.setAttribute("d", `M${ax} ${-ay}L${bx} ${-by}M${lx} ${-ly}L${bx} ${-by}L${rx} ${-ry}`);
    };
    return { svg, handle, tapped, line, join, arrow };
  };

  return { make, format, start, button, teller, slider, bars, plane };
})();
