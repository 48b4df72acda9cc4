// ACC, NMI and ARI of a 3 x 3 table of counts, rows classes, columns clusters, as dctutor.metrics computes them.
(function () {
  "use strict";
  const { make, format, start, button, teller, bars } = window.dcPlaygrounds;

  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const columns = (counts) => counts[0].map((_, k) => counts.map((row) => row[k]));
  const ORDERS = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

  // For each class, the index of its cluster in the best one-to-one matching.
  const matching = (counts) => {
    const found = ORDERS.map((order) => sum(order.map((k, y) => counts[y][k])));
    return ORDERS[found.indexOf(Math.max(...found))];
  };

  const entropy = (sizes, n) => -sum(sizes.filter((size) => size > 0).map((size) => (size / n) * Math.log(size / n)));

  // Mutual information by the arithmetic mean of the two entropies.
  const nmi = (counts, rows, cols, n) => {
    const filled = (sizes) => sizes.filter((size) => size > 0).length;
    if (filled(rows) === 1 && filled(cols) === 1) return 1; // both put all samples into one group
    const terms = counts.flatMap((row, y) => row.map((count, k) =>
      (count > 0 ? (count / n) * Math.log((count * n) / (rows[y] * cols[k])) : 0)));
    const information = sum(terms);
    if (information < Number.EPSILON) return 0;
    return Math.min(1, (2 * information) / (entropy(rows, n) + entropy(cols, n)));
  };

  const pairs = (size) => (size * (size - 1)) / 2;
  const ari = (counts, rows, cols, n) => {
    const both = sum(counts.flat().map(pairs)), sameClass = sum(rows.map(pairs)), sameCluster = sum(cols.map(pairs));
    if (both === sameClass && both === sameCluster) return 1; // the same groups, single samples included
    const chance = (sameClass * sameCluster) / pairs(n);
    return (both - chance) / ((sameClass + sameCluster) / 2 - chance);
  };

  // Return {acc, nmi, ari}, or null where there is no sample.
  const scores = (counts) => {
    const rows = counts.map(sum), cols = columns(counts).map(sum), n = sum(rows);
    if (n === 0) return null;
    const agreed = sum(matching(counts).map((k, y) => counts[y][k]));
    return { acc: agreed / n, nmi: nmi(counts, rows, cols, n), ari: ari(counts, rows, cols, n) };
  };

  const NAMES = ["acc", "nmi", "ari"];
  const MOST = 9999; // as many as a cell of a phone shows
  const START = [[40, 5, 0], [5, 30, 5], [0, 5, 20]];
  const RARE = [[180, 0, 0], [0, 10, 0], [0, 10, 0]];
  const samples = (n) => `${n} ${n === 1 ? "sample" : "samples"}`;
  const largest = (sizes) => sizes.indexOf(Math.max(...sizes));

  // Each move takes a table and returns the next one, with a sentence that says what happened.
  const moves = {
    Split(counts) {
      const sizes = columns(counts).map(sum), from = largest(sizes);
      const rest = sizes.map((size, k) => (k === from ? Infinity : size)), to = rest.lastIndexOf(Math.min(...rest));
      const moved = counts.map((row) => Math.floor(row[from] / 2));
      const next = counts.map((row, y) => row.map((count, k) =>
        count + (k === to ? moved[y] : 0) - (k === from ? moved[y] : 0)));
      if (!sum(moved)) return [counts, "No class has two samples in the largest cluster: there is nothing to split."];
      const kind = sizes[to] ? "the smallest" : "which was empty";
      const hint = sizes[to] ? " It already held others. Merge first, and a cluster is empty." : "";
      const told = `Half of cluster ${from + 1}, the largest, moved to cluster ${to + 1}, ${kind}: ${samples(sum(moved))}.`;
      return [next, told + hint];
    },
    Merge(counts) {
      const sizes = columns(counts).map(sum);
      const order = [0, 1, 2].filter((k) => sizes[k] > 0).sort((a, b) => sizes[a] - sizes[b] || b - a);
      if (order.length < 2) return [counts, "There are no two clusters to merge."];
      const [from, to] = order;
      const next = counts.map((row) => row.map((count, k) => (k === from ? 0 : count + (k === to ? row[from] : 0))));
      return [next, `Cluster ${from + 1}, the smallest, was merged into cluster ${to + 1}: ${samples(sizes[from])}.`];
    },
    "Rare class": () => [RARE, "Classes 2 and 3 are rare now, and both lie in cluster 2. Class 3 has no cluster of its own, "
      + "and yet all three scores are high: the large class decides them."],
    Reset: () => [START, ""],
  };

  start("metrics", (part, root) => {
    const tell = teller(part("told"));
    const head = root.querySelector("thead tr"), foot = root.querySelector("tfoot tr");
    const cells = START.map((row, y) => {
      const line = make("tr", part("rows"));
      make("th", line, "", `class ${y + 1}`).scope = "row";
      return row.map((_, k) => {
        const input = make("input", make("td", line));
        Object.assign(input, { type: "number", min: 0, max: MOST, step: 1, inputMode: "numeric" });
        input.setAttribute("aria-label", `class ${y + 1}, cluster ${k + 1}`);
        input.addEventListener("input", () => draw(null, ""));
        input.addEventListener("focus", () => input.select());
        return input;
      });
    });
    const rowSums = cells.map((_, y) => make("td", part("rows").rows[y]));
    START.forEach((_, k) => (make("th", head, "", `cluster ${k + 1}`).scope = "col"));
    make("th", head, "", "sum").scope = "col";
    const colSums = [...START, null].map(() => make("td", foot));
    const setBars = bars(part("bars"), NAMES.map((name) => ({ name: name.toUpperCase() })));

    // An empty cell counts as 0.
    const read = () => cells.map((row) => row.map((input) => Number(input.value)));
    const wrong = () => cells.flat().filter((input) => {
      input.setAttribute("aria-invalid", String(!input.validity.valid));
      return !input.validity.valid;
    });

    const draw = (before, said) => {
      const counts = read(), [bad] = wrong(), rows = counts.map(sum), cols = columns(counts).map(sum);
      const found = bad ? null : scores(counts), order = found ? matching(counts) : [];
      cells.forEach((row, y) => row.forEach((input, k) => input.classList.toggle("dc-matched", order[y] === k)));
      [...rowSums, ...colSums].forEach((cell, i) => (cell.textContent = bad ? "\u2013" : [...rows, ...cols, sum(rows)][i]));
      setBars(NAMES.map((name) => (found ? found[name] : null)), before && NAMES.map((name) => before[name]));
      if (bad) {
        const got = bad.validity.badInput ? "something else" : bad.value;
        return tell(`${bad.getAttribute("aria-label")}: expected a whole number from 0 to ${MOST}, got ${got}.`);
      }
      if (!found) return tell([said, "No samples: there is nothing to score."].filter(Boolean).join(" "));
      const numbers = NAMES.map((name) => {
        const was = before && format(before[name]) !== format(found[name]) ? ` (was ${format(before[name])})` : "";
        return `${name.toUpperCase()} ${format(found[name])}${was}`;
      });
      return tell([said, `${numbers.join(", ")}.`].filter(Boolean).join(" "));
    };

    const put = (counts, before, said) => {
      cells.forEach((row, y) => row.forEach((input, k) => (input.value = counts[y][k])));
      draw(before, said);
    };
    Object.entries(moves).forEach(([name, move]) => button(part("buttons"), name, () => {
      if (name !== "Reset" && wrong().length) return draw(null, "");
      const counts = read(), [next, said] = move(counts);
      if (Math.max(...next.flat()) > MOST) return tell(`A cell would hold more than ${MOST} samples: nothing was moved.`);
      return put(next, name === "Reset" ? null : scores(counts), said);
    }));
    put(START, null, "");
  });

  window.dcPlaygrounds.metrics = { scores, matching };
})();
