// What the map of codes, a plane through them and the curves of training have in common: clicks that are numbered, the
// colours of the page, and a picture as a file; of map and plane also a canvas that is moved by pointer, wheel and keys,
// and a card beside what is pointed at.
//
// A path on it follows the strip of sentences beside it through the event `bottleneck:step` on the document.

const RECENT = 10000; // milliseconds for which a click goes along with those after it
const STEP = "bottleneck:step";
const GAP = 16; // pixels from what is pointed at to its card
const TURNS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const mounted = new WeakMap();

// One drawing for each place on the page, for as long as that is there.
function mount(component, Kind) {
  const root = component.parentElement;
  if (!mounted.has(root)) mounted.set(root, new Kind(root));
  mounted.get(root).update(component);
  return () => {
    mounted.get(root)?.close();
    mounted.delete(root);
  };
}

class Clicks {
  name = Math.random().toString(36).slice(2);
  clicks = [];
  count = 0;

  // What was clicked, with the clicks just before it: of several that come while Python is busy only the last arrives,
  // and it may arrive twice. They are numbered, so that each is heard once (`state.unheard`).
  clicked(what) {
    const now = Date.now();
    this.count += 1;
    this.clicks = [...this.clicks.filter(({ at }) => now - at < RECENT), { ...what, number: this.count, at: now }];
    return { canvas: this.name, clicks: this.clicks };
  }
}

// Whoever extends it says how far one can zoom (`reach`: the shares of the whole view that are the least and the most),
// what the first view is (`fit`), how it is painted (`paint`), and what follows from a changed view (`redraw`), from a
// pointer that is over a spot (`hover`) or clicked there (`click`), from leaving it (`hide`), and an arrow key (`step`).
class Canvas extends Clicks {
  constructor(root) {
    super();
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.card = root.querySelector(".card");
    this.legend = root.querySelector(".legend");
    this.live = root.querySelector(".live");
    this.pen = this.canvas.getContext("2d");
    this.pointers = new Map();
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.canvas);
    this.follow = (event) => this.onStep(event.detail);
    document.addEventListener(STEP, this.follow);
    this.listen();
  }

  close() {
    this.observer.disconnect();
    document.removeEventListener(STEP, this.follow);
  }

  // What Python says, and the colours of the page; the answer is what it said before.
  read(data) {
    const before = this.data;
    this.data = data;
    this.canvas.setAttribute("aria-label", data.alt);
    Object.assign(this, theme(this.canvas));
    if (before?.path?.id !== data.path?.id) this.position = data.path?.position ?? 0;
    return before;
  }

  onStep({ id, step }) {
    if (!this.data?.path || id !== this.data.path.id) return;
    this.position = step;
    this.draw();
  }

  // --- The view: pixels = (place - middle) * scale --------------------------------------------------------------

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height || !this.data) return;
    const ratio = window.devicePixelRatio || 1;
    Object.assign(this, { width, height });
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (!this.view) this.fit();
    this.draw();
  }

  toPixels(x, y) {
    const { view, width, height } = this;
    return [width / 2 + (x - view.x) * view.scale, height / 2 - (y - view.y) * view.scale];
  }

  zoom(factor, px = this.width / 2, py = this.height / 2) {
    const { view } = this;
    const [least, most] = this.reach;
    const scale = clamp(view.scale * factor, view.whole * least, view.whole * most);
    view.x += (px - this.width / 2) * (1 / view.scale - 1 / scale);
    view.y -= (py - this.height / 2) * (1 / view.scale - 1 / scale);
    view.scale = scale;
    this.redraw();
  }

  move(dx, dy) {
    this.view.x -= dx / this.view.scale;
    this.view.y += dy / this.view.scale;
    this.redraw();
  }

  whole() {
    this.fit();
    this.draw();
  }

  // --- Drawing ----------------------------------------------------------------------------------------------------

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint(this.pen));
  }

  paintPath(pen) {
    const { x, y } = this.data.path;
    const places = x.map((at, step) => this.toPixels(at, y[step]));
    pen.save();
    pen.lineJoin = "round";
    for (const [shade, width] of [[this.ground, 6], [this.ink, 2.2]]) {
      pen.strokeStyle = shade;
      pen.lineWidth = width;
      pen.beginPath();
      places.forEach(([px, py], step) => (step ? pen.lineTo(px, py) : pen.moveTo(px, py)));
      pen.stroke();
    }
    pen.restore();
    for (const [px, py] of places) this.disc(pen, px, py, 3.2, this.ink, this.ground, 1);
  }

  paintPosition(pen) {
    const { x, y } = this.data.path;
    const step = clamp(this.position, 0, x.length - 1);
    this.disc(pen, ...this.toPixels(x[step], y[step]), 8, this.accent, this.ground, 2.5);
  }

  // A letter; those of the ends of a path stand beside it, not on its marker.
  badge(pen, { x, y, name }, fill, edge) {
    const [px, py] = this.toPixels(x, y);
    const lift = this.data.path && name in { A: 1, B: 1 } ? (name === "A" ? 17 : -17) : 0;
    this.disc(pen, px, py - lift, 10, fill, edge, 2);
    pen.fillStyle = edge;
    pen.font = `600 12px ${this.font}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(name, px, py - lift + 0.5);
    pen.textBaseline = "alphabetic";
  }

  disc(pen, px, py, radius, fill, edge, width) {
    pen.beginPath();
    pen.arc(px, py, radius, 0, 2 * Math.PI);
    pen.fillStyle = fill;
    pen.strokeStyle = edge;
    pen.lineWidth = width;
    pen.fill();
    pen.stroke();
  }

  // The card beside a spot, inside the canvas; `over` is the share of it that may stand out at the top.
  place(px, py, over = 0) {
    this.card.hidden = false;
    const { offsetWidth: w, offsetHeight: h } = this.card;
    const left = px + GAP + w > this.width ? px - GAP - w : px + GAP;
    const top = py + GAP + h > this.height ? py - GAP - h : py + GAP;
    this.card.style.left = `${clamp(left, 4, Math.max(4, this.width - w - 4))}px`;
    this.card.style.top = `${clamp(top, 4 - over * h, Math.max(4, this.height - h - 4))}px`;
  }

  // --- Pointer and keys -------------------------------------------------------------------------------------------

  listen() {
    const { canvas } = this;
    canvas.onpointerdown = (event) => this.down(event);
    canvas.onpointermove = (event) => this.dragOrHover(event);
    canvas.onpointerup = (event) => this.up(event);
    canvas.onpointercancel = (event) => this.up(event, true);
    canvas.onpointerleave = () => {
      if (!this.pointers.size) this.hide();
      this.draw();
    };
    canvas.onkeydown = (event) => this.key(event);
    canvas.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return; // the page scrolls, as everywhere
        event.preventDefault();
        this.zoom(Math.exp(-clamp(event.deltaY, -60, 60) / 120), ...this.spot(event));
      },
      { passive: false },
    );
    const actions = this.actions();
    for (const button of this.root.querySelectorAll("[data-do]")) button.onclick = actions[button.dataset.do];
  }

  actions() {
    return {
      closer: () => this.zoom(1.5),
      farther: () => this.zoom(1 / 1.5),
      whole: () => this.whole(),
      save: () => this.save(),
    };
  }

  keys() {
    const { closer, farther, whole } = this.actions();
    return { "+": closer, "=": closer, "-": farther, 0: whole };
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = this.keys();
    if (TURNS[event.key]) this.step(...TURNS[event.key]);
    else if (keys[event.key]) keys[event.key]();
    else return;
    event.preventDefault();
  }

  spot(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  down(event) {
    if (event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.began = this.spot(event);
    this.pointers.set(event.pointerId, this.began);
    this.travelled = this.pointers.size > 1;
  }

  dragOrHover(event) {
    const spot = this.spot(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) return this.hover(spot);
    if (!this.travelled && Math.hypot(spot[0] - this.began[0], spot[1] - this.began[1]) < 5) return;
    this.travelled = true;
    this.hide();
    const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    this.pointers.set(event.pointerId, spot);
    if (other) {
      const apart = (at) => Math.hypot(at[0] - other[0], at[1] - other[1]) || 1;
      this.zoom(apart(spot) / apart(before), (spot[0] + other[0]) / 2, (spot[1] + other[1]) / 2);
    } else this.drag(spot, before);
  }

  drag(spot, before) {
    this.canvas.classList.add("moving");
    this.move(spot[0] - before[0], spot[1] - before[1]);
  }

  up(event, cancelled = false) {
    const known = this.pointers.delete(event.pointerId);
    this.canvas.classList.remove("moving");
    if (known && !cancelled && !this.travelled) this.click(this.spot(event));
  }

  // The picture as it is on the screen, without what the pointer is at, as an SVG file.
  save() {
    const pen = new Picture(this.width, this.height, this.ground, this.font);
    this.paint(pen);
    download(pen.blob(), `${this.data.name}.svg`);
  }
}

// What `save` keeps and `restore` brings back.
const STYLE = [
  ...["globalAlpha", "fillStyle", "strokeStyle", "lineWidth", "lineCap", "lineJoin", "imageSmoothingEnabled"],
  ...["textAlign", "textBaseline", "font", "dash", "turn", "within"],
];

// What is asked of a canvas, written down as SVG.
class Picture {
  constructor(width, height, ground, font) {
    Object.assign(this, { width, height, family: font, stack: [], clips: 0 });
    Object.assign(this, { globalAlpha: 1, lineWidth: 1, lineCap: "butt", lineJoin: "miter", imageSmoothingEnabled: true });
    Object.assign(this, { textAlign: "left", textBaseline: "alphabetic", dash: [], turn: "", within: "" });
    this.parts = [`<rect width="${width}" height="${height}" fill="${ground}"/>`];
    this.ruler = document.createElement("canvas").getContext("2d");
  }
  clearRect() {}
  save() {
    this.stack.push(Object.fromEntries(STYLE.map((name) => [name, this[name]])));
  }
  restore() {
    Object.assign(this, this.stack.pop());
  }
  setLineDash(dash) {
    this.dash = dash;
  }
  translate(x, y) {
    this.turn += `translate(${x} ${y})`;
  }
  rotate(angle) {
    this.turn += `rotate(${(angle * 180) / Math.PI})`;
  }
  beginPath() {
    this.d = "";
  }
  moveTo(x, y) {
    this.d += `M${x.toFixed(2)} ${y.toFixed(2)}`;
  }
  lineTo(x, y) {
    this.d += `${this.d ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`;
  }
  arc(x, y, r) {
    const size = Number(r.toFixed(2));
    this.d += `M${(x + r).toFixed(2)} ${y.toFixed(2)}a${size} ${size} 0 1 0 ${-2 * size} 0a${size} ${size} 0 1 0 ${2 * size} 0`;
  }
  rect(x, y, w, h) {
    this.d += `M${x.toFixed(2)} ${y.toFixed(2)}h${w.toFixed(2)}v${h.toFixed(2)}h${(-w).toFixed(2)}Z`;
  }
  closePath() {
    this.d += "Z";
  }
  clip() {
    const name = `clip${++this.clips}`;
    this.parts.push(`<clipPath id="${name}"><path d="${this.d}"/></clipPath>`);
    this.within = ` clip-path="url(#${name})"`;
  }
  fill() {
    this.parts.push(`<path d="${this.d}" ${this.filled()}${this.within}/>`);
  }
  stroke() {
    this.parts.push(`<path d="${this.d}" ${this.stroked()}${this.within}/>`);
  }
  fillText(text, x, y) {
    this.write(text, x, y, this.filled());
  }
  strokeText(text, x, y) {
    this.write(text, x, y, this.stroked());
  }
  measureText(text) {
    this.ruler.font = this.font;
    return this.ruler.measureText(text);
  }
  drawImage(canvas, x, y, w, h) {
    const sharp = this.imageSmoothingEnabled ? "" : ' style="image-rendering:pixelated"';
    this.parts.push(
      `<image href="${canvas.toDataURL()}" x="${x}" y="${y}" width="${w}" height="${h}" preserveAspectRatio="none" opacity="${this.globalAlpha}"${sharp}/>`,
    );
  }
  filled() {
    return `fill="${this.fillStyle}" fill-opacity="${this.globalAlpha}"`;
  }
  stroked() {
    const { dash, lineCap, lineJoin } = this;
    const dashed = dash.length ? ` stroke-dasharray="${dash.join(" ")}"` : "";
    return `fill="none" stroke="${this.strokeStyle}" stroke-width="${this.lineWidth}" stroke-opacity="${this.globalAlpha}" stroke-linecap="${lineCap}" stroke-linejoin="${lineJoin}"${dashed}`;
  }
  write(text, x, y, look) {
    const anchor = { center: "middle", right: "end", left: "start" }[this.textAlign];
    const size = /(\d+)px/.exec(this.font)[1];
    const down = this.textBaseline === "middle" ? ' dominant-baseline="central"' : "";
    const words = new XMLSerializer().serializeToString(document.createTextNode(text));
    this.parts.push(
      `<text transform="${this.turn}" x="${x}" y="${y}" font-size="${size}" text-anchor="${anchor}" ${look}${down}>${words}</text>`,
    );
  }
  blob() {
    return new Blob([this.text()], { type: "image/svg+xml" });
  }
  text() {
    const { width, height } = this;
    const family = this.family.replaceAll('"', "'");
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${family}">${this.parts.join("\n")}</svg>`;
  }
}

// The colours and the font of the page, where something stands on it.
function theme(place) {
  const style = getComputedStyle(place);
  const colour = (name, usual) => style.getPropertyValue(name).trim() || usual;
  return {
    ink: colour("--st-text-color", "#222"),
    ground: colour("--st-background-color", "#fff"),
    accent: colour("--st-primary-color", "#0a7"),
    font: style.fontFamily,
  };
}

function download(blob, name) {
  const link = element("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

function range(values) {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

// One shape in a square of a size.
function icon(size, tag, attributes) {
  const [svg, shape] = ["svg", tag].map((name) => document.createElementNS("http://www.w3.org/2000/svg", name));
  svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
  svg.setAttribute("aria-hidden", "true");
  for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
  svg.append(shape);
  return svg;
}
