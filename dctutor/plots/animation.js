// Each copy of this script starts whatever animations on the page have not started yet: no ids, any number of them.
document.querySelectorAll(".dct-animation:not([data-started])").forEach(function (root) {
  root.dataset.started = "yes";
  const data = JSON.parse(root.dataset.payload);
  const find = (selector) => root.querySelector(selector);
  const button = find(".dct-play"), slider = find(".dct-bar input"), loop = find(".dct-loop");
  const legend = find(".dct-legend"), card = find(".dct-sample"), live = find(".dct-live");
  const unpack = (text) => new Uint16Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  const members = [];
  data.groups.forEach((group, i) => (members[group] = members[group] || []).push(i));
  const steps = Number(slider.max), several = root.classList.contains("dct-several"), inspects = Boolean(data.sprite || data.classes);
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const REST = 1000; // milliseconds on the last picture before a loop starts again

  // The fraction of training that the pictures show, the moment at which playing would have begun, and the sample
  // that is looked at: its index and the panel that it was chosen in.
  let position = 1, began = null, request = 0, looping = false, chosen = null;

  const panels = data.panels.map((panel, k) => {
    const figure = root.querySelectorAll(".dct-panel")[k], canvas = figure.querySelector("canvas");
    const points = unpack(panel.points), last = panel.frames.length - 1;
    return {
      ...panel, figure, canvas, last, points,
      context: canvas.getContext("2d"),
      caption: root.querySelectorAll(".dct-caption")[k],
      centers: unpack(panel.centers),
      top: panel.top ? unpack(panel.top) : null,
      offsets: panel.counts.map((_, i) => panel.counts.slice(0, i).reduce((a, b) => a + b, 0)),
      // Names stand at the medians of their groups. There are no names without labels, and none of many groups.
      medians: panel.frames.map((_, t) => data.names.map((_, g) =>
        [0, 1].map((axis) => median(members[g].map((i) => points[2 * (t * data.n + i) + axis]))))),
      spots: new Float32Array(2 * data.n),
      shown: null,
    };
  });

  function outline(context, shape, x, y, r) {
    context.moveTo(x + r, y);
    if (shape === 0) return context.arc(x, y, r, 0, 2 * Math.PI);
    const corners = [3, 4, 6][(shape - 1) % 3];
    for (let i = 1; i < corners; i += 1) {
      context.lineTo(x + r * Math.cos((2 * Math.PI * i) / corners), y + r * Math.sin((2 * Math.PI * i) / corners));
    }
    context.closePath();
  }
  const shapeOf = (group) => Math.floor(group / data.colours.length);

  // A quarter of white keeps the dark colours visible on a dark page.
  function shade(group, onDark) {
    const colour = data.colours[group % data.colours.length];
    const parts = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
    return onDark ? "rgb(" + parts.map((value) => Math.round(0.75 * value + 64)).join() + ")" : colour;
  }

  // What lies behind the animation: a notebook's output may have a ground of its own.
  function ground(onDark) {
    for (let element = root; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (!/^transparent$|, 0\)$|\/ 0\)$/.test(colour)) return colour;
    }
    return onDark ? "#16181c" : "#fff";
  }

  // The page's own look, read anew in each drawing: a reader may switch between light and dark.
  function look() {
    const style = getComputedStyle(root), ink = (style.color.match(/[\d.]+/g) || [0, 0, 0]).map(Number);
    const onDark = style.color.startsWith("rgb") && ink[0] + ink[1] + ink[2] > 384;
    return {
      onDark,
      ink: style.color,
      font: style.fontFamily,
      halo: onDark ? "rgba(20, 20, 20, 0.8)" : "rgba(255, 255, 255, 0.85)",
      ground: ground(onDark),
    };
  }

  function sized(canvas, context, width, height) {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  // Names that would overlap move apart, up and down.
  function spread(boxes, line) {
    for (let round = 0, moved = true; round < 60 && moved; round += 1) {
      moved = false;
      boxes.forEach((a, i) => boxes.slice(0, i).forEach((b) => {
        const gap = a.y - b.y, overlap = line - Math.abs(gap);
        if (overlap <= 0 || Math.abs(a.x - b.x) >= a.half + b.half + 12) return;
        moved = true;
        a.y += (gap < 0 ? -overlap : overlap) / 2;
        b.y += (gap < 0 ? overlap : -overlap) / 2;
      }));
    }
  }

  function drawPanel(panel, page) {
    const { canvas, context, points, centers, counts, offsets } = panel;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    sized(canvas, context, width, height);
    const small = width < 320;
    const at = Math.round(position * panel.last * 1e6) / 1e6; // so that a third of three is one
    const from = Math.floor(at), to = Math.min(from + 1, panel.last), part = at - from;

    // The box, and the axes under and beside it.
    const box = { left: 24, top: 2, right: width - 2, bottom: height - 24 };
    const middle = [(box.left + box.right) / 2, (box.top + box.bottom) / 2], padding = 10;
    context.strokeStyle = page.ink;
    context.globalAlpha = 0.6;
    context.strokeRect(box.left + 0.5, box.top + 0.5, box.right - box.left - 1, box.bottom - box.top - 1);
    context.globalAlpha = 1;
    context.fillStyle = page.ink;
    context.font = "13px " + page.font;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(panel.axes[0], middle[0], height - 11);
    context.save();
    context.translate(11, middle[1]);
    context.rotate(-Math.PI / 2);
    context.fillText(panel.axes[1], 0, 0);
    context.restore();

    const [wide, high] = panel.extent;
    const scale = Math.min((box.right - box.left - 2 * padding) / (wide || 1),
      (box.bottom - box.top - 2 * padding) / (high || 1));
    const place = (a, b) => {
      const [x, y] = [0, 1].map((axis) => (1 - part) * a[axis] + part * b[axis]);
      return [middle[0] + scale * (x - wide / 2), middle[1] - scale * (y - high / 2)];
    };
    const pair = (array, i) => [array[2 * i], array[2 * i + 1]];
    const radius = Math.max(1.6, Math.min(3.2, (width / 200) * Math.sqrt(1000 / data.n)));

    // The start stays as a shadow, so that a later picture shows its size: a collapsed run is a dot in it.
    if (panel.last > 0) {
      context.beginPath();
      context.fillStyle = page.ink;
      context.globalAlpha = page.onDark ? 0.28 : 0.2;
      for (let i = 0; i < data.n; i += 1) {
        const start = pair(points, i);
        outline(context, 0, ...place(start, start), radius + 0.5);
      }
      context.fill();
    }

    for (let i = 0; i < data.n; i += 1) {
      panel.spots.set(place(pair(points, from * data.n + i), pair(points, to * data.n + i)), 2 * i);
    }
    const cloud = (rows, shape, more) => {
      context.beginPath();
      rows.forEach((i) => outline(context, shape, panel.spots[2 * i], panel.spots[2 * i + 1], radius + more));
      context.fill();
    };
    // A rim of ink around the whole cloud, so that a dot of pale points is seen as well as a large cloud.
    [[page.ink, page.onDark ? 0.7 : 0.5, 1], [page.ground, 1, 0.2]].forEach(([colour, alpha, more]) => {
      context.fillStyle = colour;
      context.globalAlpha = alpha;
      members.forEach((rows, g) => cloud(rows, shapeOf(g), more));
    });
    context.globalAlpha = page.onDark ? 0.85 : 0.7;
    members.forEach((rows, g) => {
      context.fillStyle = shade(g, page.onDark);
      cloud(rows, shapeOf(g), 0);
    });
    context.globalAlpha = 1;

    const inked = (path) => [[page.halo, 5], [page.ink, 2]].forEach(([colour, line]) => {
      context.strokeStyle = colour;
      context.lineWidth = line;
      context.beginPath();
      path();
      context.stroke();
    });
    const matched = counts[from] === counts[to];
    const arm = small ? 4 : 5;
    for (let i = 0; i < counts[from]; i += 1) {
      const [x, y] = place(pair(centers, offsets[from] + i), pair(centers, matched ? offsets[to] + i : offsets[from] + i));
      inked(() => [[-arm, -arm, arm, arm], [-arm, arm, arm, -arm]].forEach(([a, b, c, d]) => {
        context.moveTo(x + a, y + b);
        context.lineTo(x + c, y + d);
      }));
    }

    drawNames(panel, page, small, box, data.names.map((_, g) => place(panel.medians[from][g], panel.medians[to][g])));
    if (chosen) inked(() => context.arc(panel.spots[2 * chosen.sample], panel.spots[2 * chosen.sample + 1], radius + 4, 0, 7));
  }

  function drawNames(panel, page, small, box, spots) {
    const { context } = panel, line = small ? 15 : 19;
    if (small && !short) return;
    context.font = (small ? "bold 12px " : "bold 14px ") + page.font;
    context.lineJoin = "round";
    context.lineWidth = small ? 1.5 : 2;
    const lift = panel.centers.length ? line - 1 : 0;
    const boxes = data.names.map((name, g) => {
      const half = context.measureText(name).width / 2, edge = half + 6;
      const x = Math.max(box.left + edge, Math.min(box.right - edge, spots[g][0])), y = spots[g][1] - lift;
      return { name, half, g, x, y, before: y };
    }).filter(({ name }) => name);
    spread(boxes, line + 2);
    // Where groups lie in one place, a stack of names would hide them, and tell nothing apart.
    if (boxes.some(({ y, before }) => Math.abs(y - before) > 3 * line)) return;
    boxes.forEach(({ name, half, g, x, y }) => {
      context.fillStyle = page.halo;
      context.strokeStyle = shade(g, page.onDark);
      context.beginPath();
      context.roundRect(x - half - 4, y - line / 2, 2 * half + 8, line, 4);
      context.fill();
      context.stroke();
      context.fillStyle = page.ink;
      context.fillText(name, x, y + 1);
    });
  }

  // In small panels, long names find no room, and others only where groups are apart. A legend names the groups there.
  const short = data.names.every((name) => name.length < 3);
  function drawLegend(page) {
    const hidden = !data.names.some(Boolean) || panels.every(({ canvas }) => canvas.clientWidth >= 320);
    const state = hidden ? "" : String(page.onDark);
    if (legend.dataset.state === state) return;
    legend.dataset.state = state;
    legend.hidden = hidden;
    legend.replaceChildren(...(hidden ? [] : data.names).map((name, g) => {
      const item = document.createElement("li"), swatch = document.createElement("canvas");
      const context = swatch.getContext("2d");
      sized(swatch, context, 14, 14);
      context.fillStyle = shade(g, page.onDark);
      outline(context, shapeOf(g), 7, 7, 6);
      context.fill();
      item.append(swatch, name);
      return item;
    }));
  }

  const percent = (value) => (value < 10 ? Number(value.toPrecision(2)) : Math.round(value)) + " %";
  function say(panel) {
    const t = Math.round(position * panel.last), parts = [panel.frames[t]];
    if (panel.spread[t] !== null) parts.push("spread " + percent(panel.spread[t]));
    if (panel.acc[t] !== null) parts.push("ACC " + panel.acc[t].toFixed(3));
    if (panel.shown !== t) {
      panel.shown = t;
      panel.caption.replaceChildren(...parts.map((text, i) => {
        const span = document.createElement("span");
        span.className = i ? "dct-number" : "dct-frame";
        span.textContent = text;
        return span;
      }));
    }
    return parts.join(", ");
  }

  function draw() {
    const page = look();
    root.toggleAttribute("data-dark", page.onDark);
    root.style.setProperty("--dct-ground", page.ground);
    root.style.setProperty("--dct-ink", page.ink);
    drawLegend(page);
    panels.forEach((panel) => drawPanel(panel, page));
    const said = panels.map(say), value = String(Math.round(position * steps));
    const text = several ? Math.round(100 * position) + " % of the training" : said[0];
    if (slider.value !== value) slider.value = value;
    if (slider.getAttribute("aria-valuetext") !== text) slider.setAttribute("aria-valuetext", text);
    const label = began !== null ? "Pause" : position >= 1 && steps > 0 ? "Replay" : "Play";
    if (button.textContent !== label) button.textContent = label;
    if (chosen) placeCard();
  }

  // Playing.
  function tick(now) {
    const length = 1000 * data.seconds;
    if (looping && now - began >= length + REST) began = now;
    position = Math.max(0, Math.min(1, (now - began) / length));
    if (position >= 1 && !looping) began = null;
    if (began !== null) request = window.requestAnimationFrame(tick);
    draw();
  }
  function play() {
    if (position >= 1) position = 0;
    began = performance.now() - 1000 * data.seconds * position;
    window.cancelAnimationFrame(request);
    request = window.requestAnimationFrame(tick);
    draw();
  }
  function pause() {
    began = null;
    window.cancelAnimationFrame(request);
    draw();
  }
  [button, slider, loop].forEach((control) => (control.disabled = steps === 0));
  button.addEventListener("click", () => (began === null ? play() : pause()));
  loop.addEventListener("click", () => {
    looping = !looping;
    loop.setAttribute("aria-pressed", String(looping));
    if (looping && began === null) play();
  });
  slider.addEventListener("input", () => {
    position = Number(slider.value) / steps;
    pause();
  });

  // Looking at one sample.
  const sprite = new Image();
  sprite.addEventListener("load", () => chosen && showCard());
  if (data.sprite) sprite.src = data.sprite.source;
  const className = (i) => (data.classes ? data.classes[(data.classOf || data.groups)[i]] : "");

  function element(tag, text, ...children) {
    const made = document.createElement(tag);
    made.append(text, ...children);
    return made;
  }
  function showCard() {
    const { sample, panel } = chosen, parts = [], words = ["Sample " + (sample + 1) + " of " + data.n];
    if (data.sprite && sprite.complete) {
      const { width, height, columns } = data.sprite, enlarged = Math.max(1, Math.floor(96 / Math.max(width, height)));
      const picture = document.createElement("canvas");
      Object.assign(picture, { width, height });
      Object.assign(picture.style, { width: enlarged * width + "px", height: enlarged * height + "px" });
      const left = width * (sample % columns), top = height * Math.floor(sample / columns);
      picture.getContext("2d").drawImage(sprite, left, top, width, height, 0, 0, width, height);
      parts.push(picture);
    }
    if (className(sample)) {
      parts.push(element("strong", "class " + className(sample)));
      words.push("class " + className(sample));
    }
    for (let j = 0; panel.top && j < panel.kept; j += 1) {
      const [cluster, share] = [0, 1].map((k) => panel.top[2 * (sample * panel.kept + j) + k]);
      const number = (share / 1000).toFixed(3), bar = document.createElement("i");
      bar.style.width = share / 10 + "%";
      parts.push(element("span", "cluster " + cluster, element("b", number), bar));
      words.push("cluster " + cluster + ": " + number);
    }
    card.replaceChildren(...parts);
    card.hidden = !parts.length;
    live.textContent = words.join(", ") + ".";
    placeCard();
  }
  // Beside the point, where there is room; above or below it on a narrow page. Never on it.
  function placeCard() {
    const frame = root.getBoundingClientRect(), canvas = chosen.panel.canvas.getBoundingClientRect(), gap = 18;
    const x = canvas.left - frame.left + chosen.panel.spots[2 * chosen.sample];
    const y = canvas.top - frame.top + chosen.panel.spots[2 * chosen.sample + 1];
    const wide = card.offsetWidth, high = card.offsetHeight;
    const within = (value, most) => Math.max(0, Math.min(most, value));
    const [across, down] = [within(x - wide / 2, frame.width - wide), within(y - high / 2, frame.height - high)];
    const fits = x + gap + wide <= frame.width ? [x + gap, down]
      : x - gap - wide >= 0 ? [x - gap - wide, down]
      : [across, y - gap - high >= 0 ? y - gap - high : y + gap];
    card.style.transform = "translate(" + fits.map((value) => Math.round(value) + "px").join() + ")";
  }
  function choose(sample, panel) {
    if (sample === null ? !chosen : chosen && chosen.sample === sample && chosen.panel === panel) return;
    chosen = sample === null ? null : { sample, panel };
    if (chosen) showCard();
    else {
      card.hidden = true;
      live.textContent = "";
    }
    draw();
  }
  // The sample with the least cost; null if all costs are infinite.
  function best(panel, cost) {
    let found = null, least = Infinity;
    for (let i = 0; i < data.n; i += 1) {
      const value = cost(panel.spots[2 * i], panel.spots[2 * i + 1], i);
      if (value < least) [found, least] = [i, value];
    }
    return found;
  }
  const under = (panel, x, y, reach) => best(panel, (a, b) => {
    const distance = Math.hypot(a - x, b - y);
    return distance <= reach ? distance : Infinity;
  });
  const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  function neighbour(panel, [right, down]) {
    const [x, y] = [panel.spots[2 * chosen.sample], panel.spots[2 * chosen.sample + 1]];
    return best(panel, (a, b) => {
      const along = right * (a - x) + down * (b - y), aside = Math.abs(down * (a - x) + right * (b - y));
      return along > 0 && aside <= along ? along + aside : Infinity;
    });
  }
  if (inspects) {
    panels.forEach((panel) => {
      const { canvas } = panel;
      const follow = (event) => choose(under(panel, event.offsetX, event.offsetY, event.pointerType === "mouse" ? 24 : 40), panel);
      canvas.addEventListener("pointerdown", follow);
      canvas.addEventListener("pointermove", follow);
      canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && choose(null));
      canvas.addEventListener("blur", () => chosen && chosen.panel === panel && choose(null));
      canvas.addEventListener("keydown", (event) => {
        let next = null;
        if (event.altKey || event.ctrlKey || event.metaKey) return;
        if (event.key === "Home" || event.key === "End") next = event.key === "Home" ? 0 : data.n - 1;
        else if (event.key in ARROWS) {
          const middle = [canvas.clientWidth / 2, canvas.clientHeight / 2];
          next = chosen && chosen.panel === panel ? neighbour(panel, ARROWS[event.key]) : under(panel, ...middle, Infinity);
        } else return;
        event.preventDefault();
        if (next !== null) choose(next, panel);
      });
    });
    document.addEventListener("pointerdown", (event) => root.contains(event.target) || choose(null));
    document.addEventListener("keydown", (event) => event.key === "Escape" && choose(null));
  }

  const sizes = new ResizeObserver(draw);
  panels.forEach(({ canvas }) => sizes.observe(canvas));
  const themes = new MutationObserver(draw);
  [document.documentElement, document.body].forEach((page) => themes.observe(page, { attributes: true }));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  window.addEventListener("beforeprint", () => {
    position = 1;
    pause();
  });
  if (!still.matches && steps > 0) {
    const seen = ({ intersectionRect, boundingClientRect, rootBounds }) =>
      intersectionRect.height >= 0.6 * Math.min(boundingClientRect.height, rootBounds ? rootBounds.height : Infinity);
    const watch = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting && seen(entry))) return;
      watch.disconnect();
      if (began === null && position >= 1) play();
    }, { threshold: Array.from({ length: 21 }, (_, i) => i / 20) });
    watch.observe(find(".dct-panels"));
  }
  draw();
});
