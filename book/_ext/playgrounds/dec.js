// DEC on one point: guess q (survey eq. 5), target p (eq. 6), and the force, minus the gradient of KL(P || Q) (eq. 7)
// with respect to z, with P constant: equation 4 of Xie et al. (2016).
(function () {
  "use strict";
  const { format, start, button, teller, slider, bars, plane } = window.dcPlaygrounds;

  const scaled = (values) => {
    const sum = values.reduce((a, b) => a + b, 0);
    return values.map((value) => value / sum);
  };
  const tails = (z, centres, nu) => centres.map(([x, y]) => 1 + ((z[0] - x) ** 2 + (z[1] - y) ** 2) / nu);
  const guess = (z, centres, nu) => scaled(tails(z, centres, nu).map((tail) => tail ** (-(nu + 1) / 2)));
  // sizes: soft sizes as fractions of all samples. Only their ratios matter.
  const target = (q, sizes) => scaled(q.map((value, j) => value ** 2 / sizes[j]));
  // The pull of each centre. The force is their sum.
  const pulls = (z, centres, nu, sizes) => {
    const q = guess(z, centres, nu), p = target(q, sizes), far = tails(z, centres, nu);
    return centres.map((centre, j) =>
      [0, 1].map((axis) => ((-(nu + 1) / nu) * (p[j] - q[j]) * (z[axis] - centre[axis])) / far[j]));
  };
  const force = (...given) => pulls(...given).reduce((a, b) => [a[0] + b[0], a[1] + b[1]]);

  // The three centres lie on a circle around (0, 0): there, a point is torn exactly evenly.
  const CENTRES = [[-2.4, -1.8], [2.4, -1.8], [0, 3]];
  const SUB = ["\u2081", "\u2082", "\u2083"]; // subscript digits
  const DRAWN = 5; // times as long as the force
  const START = { z: [-1.2, -0.4], nu: 1, size: 1 / 3, story: "" };
  const STORIES = {
    "Torn evenly": {
      ...START,
      z: [0, 0],
      story: "All three centres are equally far, so the target equals the guess, and nothing pulls. Move z a little: "
        + "the force grows, away from the tie.",
    },
    "Far from all": {
      ...START,
      z: [-4.6, 3.4],
      story: "Far out the pull is weak, and heavy tails (\u03bd = 1) keep the guess in doubt. Raise \u03bd: the guess "
        + "becomes nearly certain.",
    },
    "Big cluster": {
      ...START,
      z: [-0.8, -0.6],
      size: 0.8,
      story: "The guess leans to \u03bc\u2081. But that cluster holds 80 % of all samples, and the target divides by the "
        + "size: it prefers the small ones.",
    },
  };

  start("dec", (part) => {
    const tell = teller(part("told"));
    const stage = plane(part("plane"), { wide: 5, high: 3.8 });
    const dotted = SUB.map((_, j) => stage.line(`var(--dc-${j + 1})`, 2, true));
    const thin = SUB.map((_, j) => stage.line(`var(--dc-${j + 1})`, 3));
    const thick = stage.line("currentColor", 5);
    const change = () => draw("");
    const centres = SUB.map((sub, j) => stage.handle({
      label: `Centre ${j + 1}`, name: `\u03bc${sub}`, colour: j + 1, at: CENTRES[j], change,
    }));
    const point = stage.handle({ label: "Point z", name: "z", at: START.z, change });
    stage.tapped((spot) => {
      point.set(spot);
      draw("");
    });
    const setBars = bars(part("bars"), SUB.flatMap((sub, j) => [
      { name: `q${sub}`, colour: j + 1, apart: j > 0 },
      { name: `p${sub}`, colour: j + 1, striped: true },
    ]));
    const nu = slider(part("sliders"), {
      label: "\u03bd, degrees of freedom", min: 0.5, max: 100, value: START.nu, log: true, change,
      round: (value) => Number(value.toPrecision(2)), show: (value) => String(Number(value.toPrecision(2))),
    });
    const size = slider(part("sliders"), {
      label: "Fraction of samples in cluster 1", min: 0.02, max: 0.96, value: START.size, steps: 94, change,
      round: (value) => Number(value.toFixed(2)),
      show: (value) => `f\u2081 ${format(value)}; f\u2082, f\u2083 ${format((1 - value) / 2)}`,
    });

    const summary = (q, p, [fx, fy], spots) => {
      const length = Math.hypot(fx, fy), first = q.indexOf(Math.max(...q));
      const numbers = `q = ${q.map((v) => format(v, 2)).join(", ")}; p = ${p.map((v) => format(v, 2)).join(", ")}. `;
      if (length < 0.005) return `${numbers}There is almost no force (${format(length)}).`;
      // The centre that the force points at or away from most directly.
      const cosines = spots.map(([x, y]) => {
        const [dx, dy] = [x - point.at[0], y - point.at[1]];
        return (dx * fx + dy * fy) / (length * Math.hypot(dx, dy) || 1);
      });
      const most = cosines.reduce((best, c, j) => (Math.abs(c) > Math.abs(cosines[best]) ? j : best), 0);
      const lean = `The target ${p[first] < q[first] ? "lowers" : "raises"} the largest guess, q${SUB[first]}. `;
      return `${numbers}${lean}Force ${format(length)}, ${cosines[most] > 0 ? "towards" : "away from"} \u03bc${SUB[most]}.`;
    };

    const draw = (story) => {
      const spots = centres.map((centre) => centre.at), others = (1 - size.value) / 2;
      const sizes = [size.value, others, others];
      const q = guess(point.at, spots, nu.value), p = target(q, sizes);
      const pulled = pulls(point.at, spots, nu.value, sizes), total = force(point.at, spots, nu.value, sizes);
      spots.forEach((spot, j) => {
        stage.join(dotted[j], point.at, spot);
        stage.arrow(thin[j], point.at, pulled[j].map((value) => DRAWN * value), 0.25);
      });
      point.face(-total[0], -total[1]); // where the arrow is not
      stage.arrow(thick, point.at, total.map((value) => DRAWN * value));
      setBars(q.flatMap((value, j) => [value, p[j]]));
      tell([story, summary(q, p, total, spots)].filter(Boolean).join(" "));
    };

    const put = (state) => {
      centres.forEach((centre, j) => centre.set(CENTRES[j]));
      point.set(state.z);
      nu.set(state.nu);
      size.set(state.size);
      draw(state.story);
    };
    Object.entries(STORIES).forEach(([name, state]) => button(part("buttons"), name, () => put(state)));
    button(part("buttons"), "Reset", () => put(START));
    put(START);
  });

  window.dcPlaygrounds.dec = { guess, target, pulls, force };
})();
