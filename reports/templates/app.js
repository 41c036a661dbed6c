"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const numbers = read("numbers");
  const plots = read("plots");
  numbers.designs = numbers.designs || [];  // a comparison has none
  numbers.sections = numbers.sections || {};
  const byId = new Map(numbers.designs.map((d) => [d.id, d]));
  const front = numbers.designs.filter((d) => d.on_front || d.pick || d.verified).sort((a, b) => a.memory_bytes - b.memory_bytes || a.drop - b.drop);
  const palette = (numbers.sections.bits || {}).palette || {};
  const drawn = new Map();
  let selected = null;
  let printing = false;

  // ---- numbers as text -------------------------------------------------------------------------------------------
  const PREFIXES = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"], [1e-12, "p"]];
  const minus = (text) => text.replace("-", "−");
  const fixed = (v, places = 2) => minus((Math.round(v * 10 ** places) / 10 ** places + 0).toFixed(places));
  function quantity(v, unit) {
    if (v === null || v === undefined) return "–";
    if (unit === "pp") return `${fixed(v)} pp`;
    if (v === 0) return `0 ${unit}`;
    const [factor, prefix] = PREFIXES.find(([f]) => Math.abs(v) >= 0.9995 * f) || PREFIXES[PREFIXES.length - 1];
    const scaled = v / factor;
    return `${minus(scaled.toFixed(Math.max(0, 2 - Math.floor(Math.log10(Math.abs(scaled))))))} ${prefix}${unit}`;
  }
  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [k, v] of Object.entries(attributes)) made.setAttribute(k, v);
    made.append(...children);
    return made;
  };

  // ---- theme -----------------------------------------------------------------------------------------------------
  const rootElement = document.documentElement;
  const stored = (() => { try { return localStorage.getItem("svit-dse-theme"); } catch { return null; } })();
  const system = matchMedia("(prefers-color-scheme: dark)");
  const setTheme = (theme) => { rootElement.dataset.theme = theme; };
  setTheme(stored || (system.matches ? "dark" : "light"));
  const token = (name) => getComputedStyle(rootElement).getPropertyValue(`--${name}`).trim();
  function resolve(value) {
    if (typeof value === "string") return value.startsWith("$") ? token(value.slice(1)) : value;
    if (Array.isArray(value)) return value.map(resolve);
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, resolve(v)]));
    return value;
  }

  // ---- plots -----------------------------------------------------------------------------------------------------
  let view = "decision";  // which part of the front plots is shown
  function layoutOf(name, width) {
    const given = plots[name].layout || {};
    const own = resolve({ ...given, ...(((given.meta || {}).views || {})[view] || {}) });
    const axis = { gridcolor: token("rule"), zeroline: false, linecolor: token("faint"), tickcolor: token("faint"), ticks: "outside",
      ticklen: 3, tickfont: { size: 11 }, title: { font: { size: 12 }, standoff: 8 }, automargin: true, fixedrange: false };
    const merged = { ...own, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, dragmode: "pan",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: token("ink") },
      uirevision: view,  // keep the part that the reader zoomed to
      margin: { l: 52, r: 14, t: 10, b: 44, ...(own.margin || {}) }, hovermode: "closest", autosize: true,
      hoverlabel: { bgcolor: token("paper"), bordercolor: token("faint"), font: { color: token("ink"), size: 12 } } };
    for (const key of new Set(["xaxis", "yaxis", ...Object.keys(own).filter((k) => /^[xy]axis/.test(k))])) {
      const given = own[key] || {};
      merged[key] = { ...axis, ...given, title: { ...axis.title, ...(given.title || {}) } };
    }
    if (width) merged.width = width;
    thin(merged.xaxis, width || document.getElementById(`plot-${name}`).clientWidth);
    return merged;
  }

  const root = (v) => Math.sign(v) * Math.sqrt(Math.abs(v));  // the scale of the drop axis

  // round numbers that stand too close on a narrow plot lose their text, the ones nearest to zero or one stay
  function thin(axis, pixels) {
    if (!axis.ticktext || axis.ticktext.length < 3 || axis.tickangle === -90 || axis.ticktext.some((t) => !/^[−\d.,]+$/.test(t))) return;
    const at = axis.tickvals.map((v) => (axis.type === "log" ? Math.log10(v) : v));
    const scale = (0.8 * pixels) / (Math.max(...at) - Math.min(...at));
    const kept = [];
    for (const i of at.map((_, i) => i).sort((a, b) => Math.abs(at[a]) - Math.abs(at[b]))) {
      if (kept.every((k) => Math.abs(at[k] - at[i]) * scale > 13 + 3 * (axis.ticktext[k].length + axis.ticktext[i].length))) kept.push(i);
    }
    axis.ticktext = axis.ticktext.map((t, i) => (kept.includes(i) ? t : ""));
    axis.tickangle = 0;
  }

  function dataOf(name) {
    const traces = resolve(plots[name].data);
    const meta = plots[name].layout.meta || {};
    if (meta.drop) {
      filterTraces(traces);
      const d = byId.get(selected);
      const at = d ? root(d.unseen.drop) : 0;
      traces.push({ type: "scatter", mode: "markers", hoverinfo: "skip", meta: "selected", x: d ? [d[meta.cost]] : [], y: d ? [at] : [],
        error_y: { type: "data", symmetric: false, array: d ? [root(d.unseen.high) - at] : [], arrayminus: d ? [at - root(d.unseen.low)] : [],
          color: token("ink"), thickness: 1.4, width: 3 },
        marker: { size: 19, color: "rgba(0,0,0,0)", line: { color: token("ink"), width: 2.4 } } });
    }
    if (meta.breakdown) addSelectedBar(traces, meta);
    if (meta.stages) fillStages(traces, meta);
    return traces;
  }

  function shapesOf(name, layout) {
    const meta = plots[name].layout.meta || {};
    const shapes = [...(layout.shapes || [])];
    const dashed = { color: token("muted"), width: 1, dash: "dash" };
    if (meta.drop) {
      const limits = { ...meta.budgets, ...activeLimits() };
      if (limits.drop !== undefined) {
        const y = root(limits.drop);
        shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y, line: dashed, layer: "below" });
      }
      const x = limits[meta.cost];
      if (x !== undefined) shapes.push({ type: "line", yref: "paper", y0: 0, y1: 1, x0: x, x1: x, line: dashed, layer: "below" });
    }
    if (plots[name].data.some((t) => t.meta === "bits")) {
      const row = numbers.sections.bits.ids.indexOf(selected);
      if (row >= 0) {
        const count = numbers.layers.names.length;
        shapes.push({ type: "rect", x0: -0.5, x1: count - 0.5, y0: row - 0.5, y1: row + 0.5, line: { color: token("warn"), width: 2 } });
      }
    }
    return shapes;
  }

  function draw(name, width) {
    const place = document.getElementById(`plot-${name}`);
    if (!place) return;
    const layout = layoutOf(name, width);
    layout.shapes = shapesOf(name, layout);
    Plotly.react(place, dataOf(name), layout, { displaylogo: false, responsive: true, displayModeBar: false, scrollZoom: false });
    if (!drawn.has(name)) {
      drawn.set(name, true);
      listen(place, name);
    }
  }

  const idOf = (point) => {
    if (point.id !== undefined) return point.id;
    if (point.data && point.data.meta === "bits") return numbers.sections.bits.ids[point.y];
    return null;
  };

  function listen(place, name) {
    place.on("plotly_click", (event) => {
      const id = idOf(event.points[0]);
      if (id && byId.has(id)) select(id);
    });
    if ((plots[name].layout.meta || {}).drop || plots[name].data.some((t) => t.ids)) {
      place.on("plotly_hover", (event) => {
        const d = byId.get(idOf(event.points[0]));
        if (d) showHover(d, event.event);
      });
      place.on("plotly_unhover", hideHover);
      place.tabIndex = 0;
      place.setAttribute("role", "group");  // it listens to keys: no mere picture
      place.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        move(step);
      });
    }
  }

  function move(step) {
    if (!front.length) return;
    const now = front.findIndex((d) => d.id === selected);
    const next = now < 0 ? 0 : Math.min(front.length - 1, Math.max(0, now + step));
    select(front[next].id);
  }

  // ---- one design, everywhere ------------------------------------------------------------------------------------
  function strip(d) {
    const canvas = element("canvas", { class: "strip", width: String(d.bits.length * 6), height: "16", role: "img",
      "aria-label": `Mean bits in network order: ${blockMeans(d).map(([b, m]) => `${b} ${fixed(m, 1)}`).join(", ")}` });
    const pen = canvas.getContext("2d");
    d.bits.forEach((b, i) => {
      pen.fillStyle = palette[b] || token("faint");
      pen.fillRect(i * 6, 0, 5.4, 16);
    });
    return canvas;
  }

  function blockMeans(d) {
    const sums = new Map();
    numbers.layers.blocks.forEach((b, i) => {
      const [s, n] = sums.get(b) || [0, 0];
      sums.set(b, [s + d.bits[i], n + 1]);
    });
    return [...sums].map(([b, [s, n]]) => [b, s / n]);
  }

  function shortBlock(name) {
    const word = /^([A-Za-z])[A-Za-z_]{4,}?(\d+(?:_\d+)*)(?=\.|$)/;
    return name.replace(word, (_, letter, numbers) => letter.toLowerCase() + numbers).replace(/^([a-z]\d+_\d+)\.0(?=\.|$)/, "$1");
  }

  function describe(d, full) {
    const role = [d.pick, d.baseline].filter(Boolean).join(", ") || d.origin;
    const facts = [
      ["Drop, search images", `${fixed(d.drop)} pp (${fixed(d.drop_low)} … ${fixed(d.drop_high)})`],
      ["Top-1, search images", `${fixed(100 * d.top1, 1)} % (${fixed(100 * d.top1_low, 1)} … ${fixed(100 * d.top1_high, 1)})`],
      ["Memory", quantity(d.memory_bytes, "B")], ["Energy", quantity(d.energy_j, "J") + (d.energy_band ? ` (${d.energy_band.map((end) => quantity(end, "J")).join(" … ")})` : "")],
      ["Latency", quantity(d.latency_s, "s")], ["Power", quantity(d.power_w, "W")],
      ["Mean width", `${fixed(d.mean_weight_bits)} bit`], ["Time steps", String(d.time_steps)],
    ];
    if (d.form) facts.push(["Form", d.form]);
    if (d.unseen.status !== "searched") facts.unshift(["Drop, unseen images", `${fixed(d.unseen.drop)} pp (${fixed(d.unseen.low)} … ${fixed(d.unseen.high)}), ${d.verified ? `verified on ${d.verified.images}` : "predicted"}`]);
    const list = element("dl");
    for (const [k, v] of facts) list.append(element("div", {}, element("dt", {}, k), element("dd", {}, v)));
    const widths = element("div", { class: "widths" });
    for (const b of [...new Set(d.bits)].sort((x, y) => x - y)) {
      const count = d.bits.filter((x) => x === b).length;
      widths.append(element("span", {}, element("i", { style: `background:${palette[b] || "gray"}` }), `${b} bit: ${count} layers`));
    }
    const title = element("div", {}, element("strong", {}, d.id), ` ${role}${d.standing && d.baseline !== "float" ? `, ${d.standing}` : ""}`);
    const parts = [title, list, strip(d), widths];
    if (full) {
      const text = blockMeans(d).map(([b, m]) => `${shortBlock(b)} ${fixed(m, 1)}`).join(" · ");
      parts.push(element("small", {}, `Mean bits by block: ${text}`));
    }
    return parts;
  }

  const hover = document.getElementById("hover");
  function showHover(d, event) {
    hover.replaceChildren(...describe(d, false));
    hover.hidden = false;
    const box = hover.getBoundingClientRect();
    const x = Math.min(event.clientX + 16, innerWidth - box.width - 8);
    const y = event.clientY + 16 + box.height > innerHeight ? event.clientY - box.height - 12 : event.clientY + 16;
    hover.style.left = `${Math.max(8, x)}px`;
    hover.style.top = `${Math.max(8, y)}px`;
  }
  function hideHover() { hover.hidden = true; }

  function select(id, fromTable) {
    selected = id;
    const d = byId.get(id);
    const card = document.getElementById("card");
    if (card) card.replaceChildren(...describe(d, true));
    const chosen = document.getElementById("chosen");
    chosen.replaceChildren("Selected: ", element("strong", {}, id), element("br"),
      `${quantity(d.memory_bytes, "B")}, drop ${fixed(d.unseen.drop)} pp (${d.unseen.status})`);
    for (const row of document.querySelectorAll("#front-table tbody tr")) {
      const here = row.dataset.id === id;
      row.setAttribute("aria-selected", String(here));
      row.tabIndex = here ? 0 : -1;
      if (here && !fromTable) {
        const frame = row.closest(".tall");
        frame.scrollTop = row.offsetTop - frame.clientHeight / 2;
      }
    }
    for (const name of Object.keys(plots)) if (drawn.has(name) && depends(name)) draw(name);
    keep();
  }
  const depends = (name) => {
    const meta = plots[name].layout.meta || {};
    return meta.drop || meta.breakdown || meta.stages || plots[name].data.some((t) => t.meta === "bits");
  };

  function addSelectedBar(traces, meta) {
    const parts = numbers.sections.breakdown.parts[meta.breakdown];
    const compared = numbers.sections.breakdown.compared.map(([, id]) => id);
    const values = parts.by_component[selected];
    if (!values || compared.includes(selected)) return;
    for (const trace of traces) {
      trace.y = [`selected`, ...trace.y];
      trace.x = [values[trace.meta] / meta.factor, ...trace.x];
      trace.text = [`${parts.components[trace.meta].replaceAll("_", " ")}: ${quantity(values[trace.meta], meta.breakdown === "energy" ? "J" : "B")}`, ...trace.text];
    }
  }
  function fillStages(traces, meta) {
    const record = numbers.sections.breakdown, parts = record.parts[meta.stages], values = parts.by_stage[selected];
    if (!values) return;
    const unit = meta.stages === "energy" ? "J" : "B", bands = (meta.stages === "energy" && record.stage_bands[selected]) || {};
    for (const trace of traces) {
      const component = parts.components[trace.meta], band = (stage) => (bands[stage] || {})[component];
      const ends = (stage) => (band(stage) ? ` (${quantity(band(stage)[0], unit)} … ${quantity(band(stage)[1], unit)})` : "");
      trace.y = values.map((stage) => stage[trace.meta] / meta.factor);
      trace.text = values.map((stage, i) => `${component.replaceAll("_", " ")}: ${quantity(stage[trace.meta], unit)}${ends(parts.stages[i])}`);
    }
  }

  // ---- budget sliders --------------------------------------------------------------------------------------------
  const SLIDERS = [["drop", "Drop", "pp"], ["memory_bytes", "Memory", "B"], ["energy_j", "Energy", "J"], ["latency_s", "Latency", "s"]];
  const limits = {};
  const activeLimits = () => Object.fromEntries(Object.entries(limits).filter(([, v]) => v !== null));
  const within = (d) => Object.entries(activeLimits()).every(([k, v]) => (k === "drop" ? d.unseen.drop : d[k]) <= v * (1 + 1e-12));
  // the probability that a drop on unseen images is within a limit, by the normal law of its 95 % interval
  const erf = (x) => {  // Abramowitz and Stegun 7.1.26, error below 2e-7
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const tail = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    return Math.sign(x) * (1 - tail * Math.exp(-x * x));
  };
  const chance = (d, limit) => d.verified && d.verified.p_within !== null && d.verified.budget === limit ? d.verified.p_within : 0.5 * (1 + erf((limit - d.unseen.drop) / Math.max((d.unseen.high - d.unseen.low) / 3.919928, 1e-9) / Math.SQRT2));
  const CONFIDENCE = 0.95;
  // what the report's rule picks under the sliders: least memory among the designs that keep the drop with 95 %, verified ones first
  function pickAgain() {
    const limit = limits.drop ?? numbers.budgets.drop;
    const rest = Object.entries(activeLimits()).filter(([k]) => k !== "drop");
    const fits = others.filter((d) => d.unseen.status !== "searched" && rest.every(([k, v]) => d[k] <= v * (1 + 1e-12)));
    if (limit === undefined || limit === null) return null;
    const safe = fits.filter((d) => chance(d, limit) >= CONFIDENCE);
    const least = (designs) => designs.reduce((a, d) => (!a || d.memory_bytes < a.memory_bytes ? d : a), null);
    const best = least(safe.filter((d) => d.verified)) || least(safe);
    return best ? { best, limit, sure: chance(best, limit) } : null;
  }
  const others = numbers.designs.filter((d) => d.origin !== "float");

  function filterTraces(traces) {
    if (!Object.keys(activeLimits()).length) return;
    for (const trace of traces) {
      if (!trace.ids) continue;
      const inside = trace.ids.map((id) => within(byId.get(id)));
      trace.marker = { ...trace.marker, opacity: inside.map((v) => (v ? 1 : 0.13)) };
      if (trace.error_y) {
        trace.error_y = { ...trace.error_y, array: trace.error_y.array.map((v, i) => (inside[i] ? v : 0)),
          arrayminus: trace.error_y.arrayminus.map((v, i) => (inside[i] ? v : 0)) };
      }
    }
  }

  function buildSliders() {
    const box = document.getElementById("sliders");
    if (!box) return;
    for (const [column, name, unit] of SLIDERS) {
      const values = [...new Set(others.map((d) => d[column]))].sort((a, b) => a - b);
      if (values.length < 2) continue;
      limits[column] = null;
      const input = element("input", { type: "range", min: "0", max: String(values.length), step: "1", value: String(values.length), "data-budget": column });
      const output = element("output", {}, "any");
      const show = () => {
        const at = Number(input.value);
        const exact = input.dataset.exact;
        limits[column] = exact ? Number(exact) : at >= values.length ? null : values[at];
        output.textContent = limits[column] === null ? "any" : `≤ ${quantity(limits[column], unit)}`;
        input.setAttribute("aria-valuetext", output.textContent);
      };
      input.addEventListener("input", () => { delete input.dataset.exact; show(); filter(); });
      show();
      controls.push({ column, values, input, show });
      box.append(element("label", {}, `${name} `, output, input));
    }
    const state = element("span", { id: "slider-state", "aria-live": "polite" });
    const budgets = element("button", { type: "button" }, "Set to budgets");
    const reset = element("button", { type: "button" }, "Show all");
    budgets.addEventListener("click", () => {
      for (const c of controls) {
        const b = numbers.budgets[c.column];
        if (b === undefined) lift(c); else limitTo(c, b);
      }
      filter();
    });
    reset.addEventListener("click", () => {
      controls.forEach(lift);
      filter();
    });
    box.append(element("div", { class: "state" }, budgets, reset, state));
  }

  // ---- the address keeps what is selected, so that a reload or a colleague sees the same ----------------------------
  let controls = [];
  let place = "";  // the section that a link of the page named
  let restoring = true;
  function keep() {
    if (restoring) return;
    const parts = place ? [place] : [];
    if (selected && selected !== numbers.recommended) parts.push(`design=${encodeURIComponent(selected)}`);
    for (const [column, limit] of Object.entries(activeLimits())) parts.push(`${column}=${limit}`);
    if (view !== "decision") parts.push(`view=${view}`);
    const hash = parts.length ? `#${parts.join("&")}` : "";
    if (hash !== location.hash) history.replaceState(null, "", hash || location.pathname + location.search);
  }
  function restore() {
    const parts = location.hash.slice(1).split("&").filter(Boolean).map((part) => part.split("="));
    const given = new Map(parts.filter((p) => p.length === 2).map(([k, v]) => [k, decodeURIComponent(v)]));
    restoring = true;
    place = parts.length && parts[0].length === 1 && document.getElementById(parts[0][0]) ? parts[0][0] : "";
    for (const c of controls) {
      const limit = given.has(c.column) ? Number(given.get(c.column)) : NaN;
      if (Number.isFinite(limit)) limitTo(c, limit); else lift(c);
    }
    showView(["corner", "everything"].includes(given.get("view")) ? given.get("view") : "decision");
    if (controls.length) filter();
    if (numbers.designs.length) select(byId.has(given.get("design")) ? given.get("design") : numbers.recommended || (front[0] || numbers.designs[0]).id);
    if (place) document.getElementById(place).scrollIntoView();
    restoring = false;
  }
  function limitTo(c, limit) { c.input.value = String(c.values.filter((v) => v <= limit).length - 0.5); c.input.dataset.exact = String(limit); c.show(); }
  function lift(c) { delete c.input.dataset.exact; c.input.value = String(c.values.length); c.show(); }
  function showView(name) {
    view = name;
    for (const b of document.querySelectorAll("[data-view]")) b.setAttribute("aria-pressed", String(b.dataset.view === name));
  }

  let pending = 0;
  function filter() {
    keep();
    const inside = others.filter(within);
    const found = pickAgain();
    const state = document.getElementById("slider-state");
    state.textContent = `${inside.length} of ${others.length} designs; `;
    if (found) {
      const { best, limit, sure } = found;
      const link = element("button", { type: "button", class: "design", "data-select": best.id }, best.id);
      state.append("least memory with the drop kept at 95 %: ", quantity(best.memory_bytes, "B"), " (", link, "), ",
        `P(drop ≤ ${fixed(limit)} pp) = ${fixed(sure)}, ${best.verified ? "by its unseen images" : "predicted, not verified"}`);
    } else state.append("no design is expected to keep these budgets at 95 %");
    let shown = 0;
    for (const row of document.querySelectorAll("#front-table tbody tr")) {
      const keep = within(byId.get(row.dataset.id));
      row.hidden = !keep;
      shown += keep;
    }
    const count = document.getElementById("table-count");
    if (count) count.textContent = Object.keys(activeLimits()).length ? `${shown} rows within the sliders` : "";
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => {
      for (const name of Object.keys(plots)) if (drawn.has(name) && (plots[name].layout.meta || {}).drop) draw(name);
    });
  }

  // ---- front table -----------------------------------------------------------------------------------------------
  const table = document.getElementById("front-table");
  if (table) {
    const body = table.tBodies[0];
    table.tHead.addEventListener("click", (event) => {
      const cell = event.target.closest("th");
      if (!cell) return;
      const index = cell.cellIndex;
      const up = cell.getAttribute("aria-sort") !== "ascending";
      for (const th of table.tHead.rows[0].cells) th.setAttribute("aria-sort", "none");
      cell.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => row.cells[index].dataset.value;
      const rows = [...body.rows];
      const numeric = rows.every((r) => value(r) !== "" && !Number.isNaN(Number(value(r))) && cell.classList.contains("number"));
      rows.sort((a, b) => (numeric ? Number(value(a)) - Number(value(b)) : value(a).localeCompare(value(b))) * (up ? 1 : -1));
      body.append(...rows);
    });
    body.addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (row) select(row.dataset.id, true);
    });
    body.addEventListener("keydown", (event) => {
      const row = event.target.closest("tr");
      if (!row || event.target !== row) return;
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); select(row.dataset.id, true); }
      const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
      if (!step) return;
      event.preventDefault();
      let next = row[step];
      while (next && next.hidden) next = next[step];
      if (next) next.focus();
    });
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-select]");
    if (button && byId.has(button.dataset.select)) select(button.dataset.select);
    const download = event.target.closest("[data-download]");
    if (download) save(download.dataset.download);
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideHover(); });

  function save(kind) {
    const rows = numbers.sections.table.rows.map((r) => {
      const d = byId.get(r.id);
      const weights = d.form ? Object.entries(d.own_bits) : numbers.layers.names.map((n, i) => [n, d.bits[i]]);  // a form has layers of its own
      const others = [["v:", d.state_bits], ["r:", d.stream_bits], ["b:", d.between_bits]];
      const named = others.flatMap(([prefix, bits]) => Object.entries(bits).map(([n, b]) => [prefix + n, b]));
      return { ...r, ...Object.fromEntries(named), ...Object.fromEntries(weights.map(([n, b]) => [`w:${n}`, b])) };
    });
    const quoted = (v) => (/[",\n]/.test(String(v)) ? `"${String(v).replaceAll('"', '""')}"` : String(v));
    const heads = [...new Set(rows.flatMap(Object.keys))];
    const cell = (v) => (v === undefined || v === null ? "" : quoted(v));
    const text = kind === "json" ? JSON.stringify(rows, null, 1)
      : [heads.map(quoted).join(","), ...rows.map((r) => heads.map((h) => cell(r[h])).join(","))].join("\n") + "\n";
    const link = element("a", { download: `front.${kind}`, href: URL.createObjectURL(new Blob([text], { type: kind === "json" ? "application/json" : "text/csv" })) });
    document.body.append(link);
    link.click();
    link.remove();
  }

  // ---- what scrolls can be reached by keyboard ---------------------------------------------------------------------
  function reach() {
    for (const box of document.querySelectorAll(".scroll:not(.tall), .plot-frame")) {
      if (box.scrollWidth > box.clientWidth) {
        const named = box.querySelector("caption, [aria-label]") || box.closest("section").querySelector("h2");
        box.tabIndex = 0;
        box.setAttribute("role", "region");
        box.setAttribute("aria-label", `${named.getAttribute("aria-label") || named.textContent}, scrolls`);
      } else for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  }
  new ResizeObserver(reach).observe(document.getElementById("main"));

  // ---- start -----------------------------------------------------------------------------------------------------
  if (numbers.designs.length) buildSliders();
  restore();
  addEventListener("hashchange", restore);
  const redraw = (width) => { for (const name of Object.keys(plots)) if (drawn.has(name)) draw(name, width); };
  const waiting = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      waiting.unobserve(entry.target);
      draw(entry.target.dataset.plot);
    }
  }, { rootMargin: "600px" });
  for (const place of document.querySelectorAll("[data-plot]")) waiting.observe(place);

  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    const target = link && document.getElementById(link.getAttribute("href").slice(1));
    if (!target) return;
    event.preventDefault();  // a bare #section would drop the rest of the address
    place = target.id;
    keep();
    target.scrollIntoView();
    if (target.tabIndex < 0) target.tabIndex = -1;
    target.focus({ preventScroll: true });
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-view]");
    if (!button) return;
    showView(button.dataset.view);
    keep();
    redraw();
  });

  document.getElementById("theme").addEventListener("click", () => {
    setTheme(rootElement.dataset.theme === "dark" ? "light" : "dark");
    try { localStorage.setItem("svit-dse-theme", rootElement.dataset.theme); } catch { /* file pages may have no storage */ }
    redraw();
    if (selected) select(selected);
  });
  system.addEventListener("change", () => { if (!stored) { setTheme(system.matches ? "dark" : "light"); redraw(); } });

  let before = null;
  addEventListener("beforeprint", () => {
    if (printing) return;
    printing = true;
    before = rootElement.dataset.theme;
    setTheme("light");
    for (const d of document.querySelectorAll("details")) d.open = true;
    for (const name of Object.keys(plots)) {
      const place = document.getElementById(`plot-${name}`);
      if (place) draw(name, place.closest(".columns") ? 345 : 700);
    }
  });
  addEventListener("afterprint", () => { printing = false; setTheme(before); redraw(); });

  const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.getAttribute("href").slice(1), a]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) {
      for (const a of links.values()) a.classList.remove("here");
      links.get(entry.target.id)?.classList.add("here");
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  for (const section of document.querySelectorAll("main > section")) seen.observe(section);
})();
