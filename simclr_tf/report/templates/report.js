"use strict";
(() => {
const data = JSON.parse(document.getElementById("report-data").textContent);
const NS = "http://www.w3.org/2000/svg";
const root = document.documentElement;

// Elements are made with textContent alone: names are a user's own.
function make(name, attributes = {}, ...inside) {
  const svg = ["svg", "g", "path", "line", "rect", "circle", "text", "title"].includes(name);
  const made = svg ? document.createElementNS(NS, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "style") made.style.cssText = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...inside);
  return made;
}
const color = (i) => `var(--c${i % 10})`;
function groupColor(i, count) {
  if (count <= 10) return color(i);
  return `hsl(${Math.round((i * 360) / count)} 62% var(--map-${i % 2}))`;
}
const clamp = (v, low, high) => Math.min(Math.max(v, low), high);

// Theme: the system's, until a person chooses one.
const themeButton = document.querySelector(".theme");
const system = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
function showTheme() {
  themeButton.textContent = isDark() ? "☀ Light" : "☾ Dark";
  themeButton.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
}
try {
  const kept = localStorage.getItem("simclr-theme");
  if (kept) root.dataset.theme = kept;
} catch (error) { /* A file that is opened may have no storage. */ }
themeButton.hidden = false;
themeButton.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try { localStorage.setItem("simclr-theme", root.dataset.theme); } catch (error) { /* As above. */ }
  showTheme();
});
system.addEventListener("change", showTheme);
showTheme();

// Numbers and ticks.
function ticks(low, high, count) {
  const span = high - low || 1, power = 10 ** Math.floor(Math.log10(span / count));
  const every = (step) => {
    const found = [];
    for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-9; v += step) found.push(Math.abs(v) < step * 1e-9 ? 0 : v);
    return found;
  };
  return [10, 5, 2, 1].map((f) => every(f * power)).find((found) => found.length >= 0.6 * count) ?? every(power);
}
function logTicks(low, high) {
  const found = [];
  for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p++)
    for (const f of [1, 2, 5]) {
      const v = f * 10 ** p;
      if (v >= low * 0.999 && v <= high * 1.001) found.push(v);
    }
  return found.length > 6 ? found.filter((v) => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-9) : found;
}
function short(v) {
  const a = Math.abs(v);
  if (v === 0) return "0";
  if (a >= 1e6) return `${+(v / 1e6).toPrecision(3)}M`;
  if (a >= 1e4) return `${+(v / 1e3).toPrecision(3)}k`;
  return a < 1e-3 ? v.toExponential(0) : String(+v.toPrecision(3));
}
function exact(v, share) {
  const text = Math.abs(v) >= 1e5 ? v.toLocaleString("en") : String(+v.toPrecision(6));
  return share ? `${+(100 * v).toPrecision(5)} %` : text;
}
function nearestIndex(sorted, x) {
  let low = 0, high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < x) low = middle; else high = middle;
  }
  return Math.abs(sorted[low] - x) <= Math.abs(sorted[high] - x) ? low : high;
}
const path = (xs, ys, px, py, ok) => {
  let text = "", on = false;
  xs.forEach((x, i) => {
    if (!ok(ys[i])) { on = false; return; }
    text += `${on ? "L" : "M"}${px(x).toFixed(1)} ${py(ys[i]).toFixed(1)}`;
    on = true;
  });
  return text;
};
function place(tip, plot, x, y) {
  tip.hidden = false;
  const width = plot.clientWidth, own = tip.offsetWidth;
  tip.style.left = `${clamp(x + 14 + own > width ? x - own - 14 : x + 14, 0, Math.max(width - own, 0))}px`;
  tip.style.top = `${clamp(y - 20, 0, Math.max(plot.clientHeight - tip.offsetHeight, 0))}px`;
}

// Draws at once, and anew where the width has changed.
function whenResized(element, draw) {
  let width = element.clientWidth;
  if (width) draw();
  new ResizeObserver(() => requestAnimationFrame(() => {
    if (element.clientWidth !== width) { width = element.clientWidth; draw(); }
  })).observe(element);
}

// A chart: curves over a whole number, zoomed by dragging; a group zooms together.
class Chart {
  constructor(holder, chart, group) {
    this.chart = chart; this.group = group; this.log = chart.log; this.at = null;
    group.charts.push(this);
    this.logButton = make("button", { type: "button", "aria-pressed": String(this.log), title: "Logarithmic scale", onclick: () => {
      this.log = !this.log;
      this.logButton.setAttribute("aria-pressed", String(this.log));
      this.draw();
    } }, "log");
    const button = (text, title, factor) => make("button", { type: "button", title, "aria-label": `${title}: ${chart.title}`, onclick: () => this.zoomBy(factor) }, text);
    this.reset = make("button", { type: "button", title: "Show all", "aria-label": `Show all: ${chart.title}`, onclick: () => group.zoom(null) }, "⟲");
    this.svg = make("svg", { tabindex: "0", role: "img", "aria-label": this.words() });
    this.tip = make("div", { class: "tip", hidden: "" });
    this.said = make("div", { class: "said", "aria-live": "polite" });
    this.plot = make("div", { class: "plot" }, this.svg, this.tip, this.said);
    const tools = [button("+", "Zoom in", 0.5), button("−", "Zoom out", 2), this.reset];
    if (chart.positive) tools.unshift(this.logButton);
    const alone = chart.series.length === 1 && chart.series[0].name === chart.title;
    const legend = make("ul", { class: "legend" }, ...(alone ? [] : chart.series).map((s) => make("li", {}, make("i", { style: `background:${color(s.color)}` }), s.name)), ...chart.floors.map((f) => make("li", {}, make("i", { class: "dash" }), `${f.name} ${exact(f.y, chart.share)}`)));
    holder.append(make("header", {}, make("h4", {}, chart.title), ...tools), this.plot, legend);
    if (chart.text.length) holder.append(make("p", { class: "soft small" }, chart.text.join(chart.series.length > 1 && chart.text.length > 1 ? "; " : "") + "."));
    this.listen();
    whenResized(this.plot, () => this.draw());
  }
  words() {
    const parts = this.chart.series.map((s) => `${s.name} from ${exact(s.y[0], this.chart.share)} to ${exact(s.y[s.y.length - 1], this.chart.share)}`);
    return `${this.chart.title}: ${parts.join("; ")}. Left and right arrow keys read values, plus and minus zoom, Escape shows all.`;
  }
  get extent() {
    const xs = this.chart.series.flatMap((s) => [s.x[0], s.x[s.x.length - 1], ...(s.within ? [s.within.x[0], s.within.x[s.within.x.length - 1]] : [])]);
    const low = Math.min(...xs), high = Math.max(...xs);
    return low === high ? [low - 1, high + 1] : [low, high];
  }
  draw() {
    const width = this.plot.clientWidth, height = 220;
    if (!width) return;
    const left = 50, right = 10, top = 8, bottom = 24;
    const [x0, x1] = this.group.domain || this.extent;
    const ok = (v) => v !== null && (!this.log || v > 0);
    let low = Infinity, high = -Infinity;
    const see = (v) => { if (ok(v)) { low = Math.min(low, v); high = Math.max(high, v); } };
    for (const s of this.chart.series)
      for (const points of [s, s.within])
        if (points) points.x.forEach((x, i) => { if (x >= x0 && x <= x1) see(points.y[i]); });
    if (!this.group.domain) this.chart.floors.forEach((f) => see(f.y));
    if (low > high) { low = this.log ? 0.1 : 0; high = 1; }
    if (low === high) { const d = Math.abs(low) * 0.05 || 0.5; low -= d; high += d; }
    if (this.log) { const r = (high / low) ** 0.05; low /= r; high *= r; } else { const d = (high - low) * 0.06; const zero = low >= 0; low -= d; high += d; if (zero) low = Math.max(low, 0); }
    const px = (x) => left + ((x - x0) / (x1 - x0)) * (width - left - right);
    const sy = this.log ? (y) => (Math.log(y) - Math.log(low)) / (Math.log(high) - Math.log(low)) : (y) => (y - low) / (high - low);
    const py = (y) => height - bottom - sy(y) * (height - top - bottom);
    this.scale = { px, py, left, right, width, height, top, bottom, x0, x1 };
    const svg = this.svg;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("height", height);
    svg.replaceChildren();
    const clip = `clip${this.group.id}-${this.group.charts.indexOf(this)}`;
    const frame = document.createElementNS(NS, "clipPath");
    frame.id = clip;
    frame.append(make("rect", { x: left, y: 0, width: Math.max(width - left - right, 0), height: height - bottom }));
    svg.append(frame);
    for (const v of this.log ? logTicks(low, high) : ticks(low, high, 4)) {
      svg.append(make("line", { class: "grid", x1: left, x2: width - right, y1: py(v), y2: py(v) }));
      svg.append(make("text", { x: left - 6, y: py(v) + 4, "text-anchor": "end" }, this.chart.share ? `${+(100 * v).toPrecision(4)} %` : short(v)));
    }
    for (const v of ticks(x0, x1, Math.max(2, Math.floor(width / 90))))
      svg.append(make("text", { x: clamp(px(v), left, width - 18), y: height - 7, "text-anchor": "middle" }, short(v)));
    const inner = make("g", { "clip-path": `url(#${clip})` });
    svg.append(inner);
    for (const f of this.chart.floors) if (ok(f.y)) inner.append(make("line", { class: "floor", x1: left, x2: width - right, y1: py(f.y), y2: py(f.y) }));
    for (const s of this.chart.series) {
      if (s.within) inner.append(make("path", { class: "within", style: `stroke:${color(s.color)}`, d: path(s.within.x, s.within.y, px, py, ok) }));
      inner.append(make("path", { class: "line", style: `stroke:${color(s.color)}`, d: path(s.x, s.y, px, py, ok) }));
      if (s.x.length <= 40) s.x.forEach((x, i) => { if (ok(s.y[i])) inner.append(make("circle", { cx: px(x), cy: py(s.y[i]), r: 2.6, style: `fill:${color(s.color)}` })); });
    }
    this.over = make("g", {});
    svg.append(this.over);
    this.reset.disabled = !this.group.domain;
    if (this.at !== null) this.show(this.at, false);
  }
  points() {
    const all = new Set();
    for (const s of this.chart.series) { s.x.forEach((x) => all.add(x)); if (s.within) s.within.x.forEach((x) => all.add(x)); }
    const [x0, x1] = this.group.domain || this.extent;
    return [...all].filter((x) => x >= x0 && x <= x1).sort((a, b) => a - b);
  }
  show(x, speak) {
    const { px, py, top, height, bottom } = this.scale, share = this.chart.share;
    this.at = x;
    this.over.replaceChildren(make("line", { class: "cross", x1: px(x), x2: px(x), y1: top, y2: height - bottom }));
    const table = make("table", {}), words = [];
    let epoch = null;
    for (const s of this.chart.series) {
      let i = s.x.indexOf(x), from = s;
      if (i < 0 && s.within) { i = s.within.x.indexOf(x); from = s.within; }
      if (i < 0) { from = s; i = nearestIndex(s.x, x); if (Math.abs(s.x[i] - x) > 1e-9 && this.chart.series.length === 1) continue; }
      const other = from.x[i] !== x ? ` (at ${from.x[i].toLocaleString("en")})` : "";
      if (from.x[i] === x && from.epoch) epoch = from.epoch[i];
      if (!this.log || from.y[i] > 0) this.over.append(make("circle", { cx: px(from.x[i]), cy: py(from.y[i]), r: 4, style: `fill:${color(s.color)}` }));
      table.append(make("tr", {}, make("td", {}, make("i", { class: "dot", style: `background:${color(s.color)}` }), s.name), make("td", {}, exact(from.y[i], share) + other)));
      words.push(`${s.name} ${exact(from.y[i], share)}${other}`);
    }
    const where = this.chart.x || "step";
    const title = `${where} ${x.toLocaleString("en")}` + (epoch !== null ? `, epoch ${+epoch.toFixed(2)}` : "");
    this.tip.replaceChildren(make("b", {}, title), table);
    place(this.tip, this.plot, px(x), 30);
    if (speak) this.said.textContent = `${title}: ${words.join(", ")}`;
  }
  hide() { this.at = null; this.tip.hidden = true; if (this.over) this.over.replaceChildren(); }
  zoomBy(factor) {
    const [a, b] = this.extent, [x0, x1] = this.group.domain || [a, b];
    const middle = this.at ?? (x0 + x1) / 2, span = Math.max((x1 - x0) * factor, Math.min(2, b - a));
    if (span >= b - a) return this.group.zoom(null);
    const begin = clamp(middle - span / 2, a, b - span);
    this.group.zoom([begin, begin + span]);
  }
  listen() {
    let begin = null;
    const at = (event) => event.clientX - this.svg.getBoundingClientRect().left;
    const value = (x) => { const s = this.scale; return s.x0 + ((clamp(x, s.left, s.width - s.right) - s.left) / (s.width - s.left - s.right)) * (s.x1 - s.x0); };
    const look = (event) => { const all = this.points(); if (all.length) this.show(all[nearestIndex(all, value(at(event)))], false); };
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button === 0) { begin = at(event); this.svg.setPointerCapture(event.pointerId); } else look(event);
    });
    this.svg.addEventListener("pointermove", (event) => {
      if (begin === null) return look(event);
      const now = at(event), s = this.scale;
      const from = clamp(Math.min(begin, now), s.left, s.width - s.right), to = clamp(Math.max(begin, now), s.left, s.width - s.right);
      this.over.replaceChildren(make("rect", { class: "brush", x: from, y: s.top, width: to - from, height: s.height - s.top - s.bottom }));
    });
    this.svg.addEventListener("pointerup", (event) => {
      if (begin === null) return;
      const from = begin, to = at(event);
      begin = null;
      if (Math.abs(to - from) > 6) { this.hide(); this.group.zoom([value(Math.min(from, to)), value(Math.max(from, to))]); } else look(event);
    });
    this.svg.addEventListener("pointercancel", () => { begin = null; this.hide(); });
    this.svg.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse" && begin === null) this.hide(); });
    this.svg.addEventListener("dblclick", () => this.group.zoom(null));
    this.svg.addEventListener("blur", () => this.hide());
    this.svg.addEventListener("keydown", (event) => {
      const all = this.points(), last = all.length - 1;
      const i = this.at === null ? -1 : nearestIndex(all, this.at);
      const go = { ArrowRight: i < 0 ? 0 : Math.min(i + 1, last), ArrowLeft: i < 0 ? last : Math.max(i - 1, 0), Home: 0, End: last };
      if (event.key in go && all.length) this.show(all[go[event.key]], true);
      else if (event.key === "+" || event.key === "=") this.zoomBy(0.5);
      else if (event.key === "-") this.zoomBy(2);
      else if (event.key === "Escape" || event.key === "0") { this.hide(); this.group.zoom(null); }
      else return;
      event.preventDefault();
    });
  }
}
class Group {
  constructor(id) { this.id = id; this.charts = []; this.domain = null; }
  zoom(domain) { this.domain = domain; for (const chart of this.charts) { chart.draw(); } }
}
const steps = new Group("steps");
document.querySelectorAll("[data-curve]").forEach((holder) => {
  new Chart(holder, data.curves[holder.dataset.curve], steps);
});
document.querySelectorAll("[data-spectrum]").forEach((holder, number) => {
  const series = data.spectra[holder.dataset.spectrum].map((s) => ({ name: s.name, color: s.color, x: s.values.map((_, i) => i + 1), y: s.values }));
  new Chart(holder, { title: "Singular values", series, floors: [], text: [], log: true, positive: true, share: false, x: "direction" }, new Group(`spectrum${number}`));
});

// A map: a point an image.
class Map2D {
  constructor(holder, map) {
    this.map = map; this.off = new Set(); this.domain = null; this.at = null;
    this.projection = Object.keys(map.projections)[0];
    this.by = Object.keys(map.groups)[0];
    this.svg = make("svg", { tabindex: "0", role: "img", "aria-label": `Map of ${map.names.length} images. Arrow keys go from image to image, Escape shows all.` });
    this.tip = make("div", { class: "tip", hidden: "" });
    this.said = make("div", { class: "said", "aria-live": "polite" });
    this.plot = make("div", { class: "plot" }, this.svg, this.tip, this.said);
    this.legend = make("ul", { class: "legend" });
    const pick = (label, names, set) => {
      const select = make("select", { "aria-label": label, onchange: (event) => { set(event.target.value); this.off.clear(); this.domain = null; this.hide(); this.draw(); } }, ...names.map((name) => make("option", { value: name }, name)));
      return make("label", { class: "small soft" }, `${label} `, select);
    };
    this.reset = make("button", { type: "button", onclick: () => { this.domain = null; this.draw(); } }, "⟲ Show all");
    const tools = make("div", { class: "tools" });
    if (Object.keys(map.projections).length > 1) tools.append(pick("Projection", Object.keys(map.projections), (v) => { this.projection = v; }));
    if (Object.keys(map.groups).length > 1) tools.append(pick("Colours", Object.keys(map.groups), (v) => { this.by = v; }));
    tools.append(this.reset);
    holder.append(tools, this.plot, this.legend);
    this.listen();
    whenResized(this.plot, () => this.draw());
  }
  draw() {
    const width = this.plot.clientWidth, height = Math.round(clamp(width * 0.6, 300, 560));
    if (!width) return;
    const points = this.map.projections[this.projection], group = this.map.groups[this.by];
    const spanOf = (k) => { const v = points.map((p) => p[k]); const low = Math.min(...v), high = Math.max(...v), d = (high - low) * 0.04 || 1; return [low - d, high + d]; };
    const [x0, x1, y0, y1] = this.domain || [...spanOf(0), ...spanOf(1)];
    this.scale = { x0, x1, y0, y1, width, height };
    const px = (x) => ((x - x0) / (x1 - x0)) * width, py = (y) => height - ((y - y0) / (y1 - y0)) * height;
    this.places = points.map((p, i) => [px(p[0]), py(p[1]), this.off.has(group.of[i])]);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("height", height);
    this.svg.replaceChildren();
    const size = this.domain ? 6 : width < 500 ? 3.6 : 4.6;
    this.dots = this.places.map(([x, y, hidden], i) => {
      const shade = group.of[i] < 0 ? "var(--soft)" : groupColor(group.of[i], group.names.length);
      const dot = make("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: size, style: `fill:${shade};opacity:${hidden ? 0.06 : 0.85}` });
      this.svg.append(dot);
      return dot;
    });
    this.over = make("g", {});
    this.svg.append(this.over);
    this.reset.disabled = !this.domain;
    const most = 40, more = group.names.length - most;
    this.legend.replaceChildren(...group.names.slice(0, most).map((name, i) => make("li", {}, make("button", { type: "button", "aria-pressed": String(!this.off.has(i)), title: "Show or hide", onclick: () => {
      if (this.off.has(i)) this.off.delete(i); else this.off.add(i);
      this.draw();
      this.legend.querySelectorAll("button")[i].focus();
    } }, make("i", { style: `background:${groupColor(i, group.names.length)}` }), name))), ...(more > 0 ? [make("li", {}, `and ${more} more`)] : []));
  }
  find(x, y, within) {
    let best = -1, least = within * within;
    this.places.forEach(([a, b, hidden], i) => { const d = (a - x) ** 2 + (b - y) ** 2; if (!hidden && d < least) { least = d; best = i; } });
    return best;
  }
  show(i, speak) {
    this.hide();
    this.at = i;
    const map = this.map, [x, y] = this.places[i], s = map.sheet;
    this.dots[i].classList.add("on");
    const c = i % s.columns, r = Math.floor(i / s.columns);
    const picture = make("span", { class: `t s${s.number}${s.pixelated ? " pixelated" : ""}`, style: `--size:96px;--x:${s.columns > 1 ? (c / (s.columns - 1)) * 100 : 0}%;--y:${s.rows > 1 ? (r / (s.rows - 1)) * 100 : 0}%` });
    const words = Object.entries(map.groups).map(([by, g]) => g.of[i] < 0 ? "" : `${by}: ${g.names[g.of[i]]}`).filter(Boolean);
    this.tip.replaceChildren(picture, ...words.map((w) => make("div", {}, w)), make("div", { class: "soft" }, map.names[i]));
    place(this.tip, this.plot, x, y);
    if (speak) this.said.textContent = [map.names[i], ...words].join(", ");
  }
  hide() { if (this.at !== null && this.dots) this.dots[this.at].classList.remove("on"); this.at = null; this.tip.hidden = true; }
  listen() {
    let begin = null;
    const at = (event) => { const box = this.svg.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    const look = (event) => { const i = this.find(...at(event), event.pointerType === "mouse" ? 14 : 30); if (i >= 0) this.show(i, false); else this.hide(); };
    this.svg.addEventListener("pointerdown", (event) => { if (event.pointerType === "mouse" && event.button === 0) { begin = at(event); this.svg.setPointerCapture(event.pointerId); } else look(event); });
    this.svg.addEventListener("pointermove", (event) => {
      if (begin === null) return look(event);
      const [x, y] = at(event);
      this.over.replaceChildren(make("rect", { x: Math.min(x, begin[0]), y: Math.min(y, begin[1]), width: Math.abs(x - begin[0]), height: Math.abs(y - begin[1]), style: "fill:var(--accent);opacity:.15" }));
    });
    this.svg.addEventListener("pointerup", (event) => {
      if (begin === null) return;
      const [a, b] = begin, [c, d] = at(event), s = this.scale;
      begin = null;
      this.over.replaceChildren();
      if (Math.abs(a - c) < 8 || Math.abs(b - d) < 8) return look(event);
      const vx = (x) => s.x0 + (x / s.width) * (s.x1 - s.x0), vy = (y) => s.y1 - (y / s.height) * (s.y1 - s.y0);
      this.domain = [vx(Math.min(a, c)), vx(Math.max(a, c)), vy(Math.max(b, d)), vy(Math.min(b, d))];
      this.hide();
      this.draw();
    });
    this.svg.addEventListener("pointercancel", () => { begin = null; });
    this.svg.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse" && begin === null) this.hide(); });
    this.svg.addEventListener("dblclick", () => { this.domain = null; this.draw(); });
    this.svg.addEventListener("blur", () => this.hide());
    this.svg.addEventListener("keydown", (event) => {
      const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (event.key === "Escape") { this.domain = null; this.hide(); this.draw(); return; }
      if (!way) return;
      event.preventDefault();
      if (this.at === null) { this.show(Math.max(this.find(this.scale.width / 2, this.scale.height / 2, 1e6), 0), true); return; }
      const [x, y] = this.places[this.at];
      let best = -1, least = Infinity;
      this.places.forEach(([a, b, hidden], i) => {
        const along = (a - x) * way[0] + (b - y) * way[1], across = Math.abs((a - x) * way[1]) + Math.abs((b - y) * way[0]);
        if (!hidden && i !== this.at && along > 0.01 && along + 2 * across < least) { least = along + 2 * across; best = i; }
      });
      if (best >= 0) this.show(best, true);
    });
  }
}
document.querySelectorAll("[data-map]").forEach((holder) => { new Map2D(holder, data.maps[holder.dataset.map]); });

// What was typed can be copied.
document.querySelectorAll("pre[data-copy]").forEach((pre) => {
  if (!navigator.clipboard) return;
  const button = make("button", { type: "button", onclick: async () => {
    try { await navigator.clipboard.writeText(pre.textContent.trim()); button.textContent = "Copied"; } catch (error) { button.textContent = "Select and copy"; }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  } }, "Copy");
  pre.after(button);
});
})();
