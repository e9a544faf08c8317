// The curves of training: small panels under one cursor and one zoom. Looking at them asks nobody. Python hears of a
// step that was chosen (trigger `chosen`) and of how one looks (state `look`: axis, logarithms, smoothing, range, and
// of which steps of which run the measurements that are here are too coarse for that).
//
// What is here is bounded: where there were more measurements than a panel can show, each point stands for several,
// with the least and the largest of them. While the pointer is over the panels, their axes stay as they are.
// Clicks, colours and pictures are in canvas.js.

const EDGE = { left: 44, right: 16, top: 17, bottom: 19 }; // room around a plot, in pixels
const REST = 350; // milliseconds without a change after which Python hears how one looks
const TWICE = 230; // milliseconds in which a second click makes it a double one
const NEAR = 5; // pixels of a move that is still a click
const CLOSEST = 1e-4; // least share of the training that fills a panel
const HINT = "Point at a curve to read all of them at one step; click to read what the model wrote then. Drag over a range to see it closer; double-click to see all.";
const SMOOTH = [0, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000];

export default (component) => mount(component, Curves);

class Curves extends Clicks {
  panels = new Map(); // name -> Panel
  muted = new Set(); // names of runs
  pointers = new Map();
  cursor = null; // a place on the axis
  at = null; // the panel, and the row of the heat map, that the pointer is at

  constructor(root) {
    super();
    this.root = root;
    const find = (name) => root.querySelector(name);
    this.figure = find(".curves");
    this.box = find(".panels");
    this.legend = find(".legend");
    this.readout = find(".readout");
    this.note = find(".note");
    this.live = find(".live");
    this.slider = find(".smooth input");
    this.output = find(".smooth output");
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.box);
    this.follow = ({ detail }) => this.inside || this.goTo(detail.step);
    document.addEventListener("bottleneck:race", this.follow);
    this.listen();
  }

  close() {
    this.observer.disconnect();
    document.removeEventListener("bottleneck:race", this.follow);
    for (const timer of [this.resting, this.clicking]) clearTimeout(timer);
    cancelAnimationFrame(this.frame);
  }

  update({ data, setStateValue, setTriggerValue }) {
    this.data = data;
    this.choose = (step) => {
      document.dispatchEvent(new CustomEvent("bottleneck:check", { detail: { step } })); // a film goes there at once
      setTriggerValue("chosen", this.clicked({ step }));
    };
    this.remember = (look) => setStateValue("look", look);
    Object.assign(this, theme(this.figure));
    this.figure.setAttribute("aria-label", data.alt);
    this.look ??= { ...data.look };
    if (!this.told && this.look.range) this.resting = setTimeout(() => this.tell(), REST); // how the URL said
    this.told ??= JSON.stringify({ ...this.look, steps: {} });
    this.lines = data.runs.map((run) => new Line(run));
    this.arrange();
    this.explain();
    this.fit();
    this.showTools();
    this.resize();
    this.read();
  }

  get shown() {
    return this.lines.filter(({ name }) => !this.muted.has(name));
  }

  get several() {
    return this.lines.length > 1;
  }

  // --- Panels and tools -------------------------------------------------------------------------------------------

  // A panel for each figure, in order; those that are there stay.
  arrange() {
    const { panels, heat } = this.data;
    const wanted = heat ? [...panels, { name: "heat", heat: true, ...HEAT }] : panels;
    for (const [name, panel] of this.panels)
      if (!wanted.some((other) => other.name === name)) {
        panel.section.remove();
        this.panels.delete(name);
      }
    wanted.forEach((what, index) => {
      if (!this.panels.has(what.name)) this.panels.set(what.name, new (what.heat ? Heat : Panel)(this, what));
      const panel = this.panels.get(what.name);
      panel.what = what;
      if (this.box.children[index] !== panel.section) this.box.insertBefore(panel.section, this.box.children[index] ?? null);
      panel.head();
    });
    const last = Math.max(...this.lines.map((line) => line.end), 1);
    const stops = SMOOTH.filter((steps) => steps <= last / 2);
    if (this.look.smooth && !stops.includes(this.look.smooth)) stops.push(this.look.smooth);
    this.stops = stops.sort((a, b) => a - b);
    this.slider.max = stops.length - 1;
    this.slider.value = this.stops.indexOf(this.look.smooth);
  }

  showTools() {
    const { look } = this;
    for (const button of this.root.querySelectorAll("[data-x]")) button.setAttribute("aria-pressed", String(button.dataset.x === look.x));
    const logs = this.data.panels.filter(({ log }) => log).map(({ name }) => name);
    const all = logs.length > 0 && logs.every((name) => look.log.includes(name));
    this.root.querySelector("[data-do=log]").setAttribute("aria-pressed", String(all));
    this.output.textContent = look.smooth ? `${count(look.smooth)} steps` : "off";
    this.slider.setAttribute("aria-valuetext", look.smooth ? `over about ${count(look.smooth)} steps` : "off");
    for (const panel of this.panels.values()) panel.showTools();
    this.note.textContent = [this.smoothing(), this.thinning(), this.belonging()].filter(Boolean).join(" ");
  }

  smoothing() {
    const { smooth } = this.look;
    return smooth
      ? `Smoothed: each value is an average of those before it, in which one counts the less the longer ago it is (1/e after ${count(smooth)} steps). Faint beneath is what was measured.`
      : "";
  }

  thinning() {
    const [low, high] = this.view;
    const most = Math.max(1, ...this.shown.map((line) => line.coarsest(line.step(low, this.look.x), line.step(high, this.look.x))));
    return most > 1
      ? `There are more measurements than can be shown: a point stands for up to ${count(most)}, with a bar from the least to the largest. Zoom in to see them all.`
      : "";
  }

  belonging() {
    return this.several ? `The phases and the KL of each dimension are those of ${this.lines[0].name}.` : "";
  }

  explain() {
    const held = this.root.activeElement?.dataset?.run;
    const buttons = (this.several ? this.lines : []).map(({ name, letter, colour }) => {
      const button = element("button");
      button.type = "button";
      button.dataset.run = name;
      button.title = "Hide or show";
      button.setAttribute("aria-pressed", String(!this.muted.has(name)));
      button.append(sign(letter, colour), element("span", "", name));
      button.onclick = () => {
        if (!this.muted.delete(name)) this.muted.add(name);
        button.setAttribute("aria-pressed", String(!this.muted.has(name)));
        this.changed();
      };
      return button;
    });
    const same = buttons.length === this.legend.children.length && buttons.every((button, i) => button.isEqualNode(this.legend.children[i]));
    if (same) return;
    this.legend.replaceChildren(...buttons);
    buttons.find((button) => button.dataset.run === held)?.focus();
  }

  // --- The view: a range of the axis, the same for all panels -------------------------------------------------------

  get view() {
    return this.look.range ?? this.whole;
  }

  // As far as the longest run has come; while one trains, with room to grow into, so that the axis seldom moves.
  fit(asked = false) {
    if (this.inside && !asked && this.whole) return;
    const { x } = this.look;
    const [first] = this.lines;
    let end = Math.max(...this.lines.map((line) => line.place(line.end, x)), 1e-9);
    if (this.data.total && first.end) {
      const whole = (first.place(first.end, x) * this.data.total) / first.end;
      end = Math.max(end, Math.min(roomy(end), x === "step" ? this.data.total : whole));
    }
    this.whole = [0, end];
    for (const panel of this.panels.values()) panel.fit();
  }

  // The range of the axis that is to be seen; as good as all of it is all of it.
  zoomTo(low, high) {
    const [, end] = this.whole;
    const width = clamp(high - low, CLOSEST * end, end);
    const start = clamp(low, 0, end - width);
    this.look.range = width > 0.995 * end ? null : [start, start + width];
    if (this.cursor < start || this.cursor > start + width) this.cursor = null;
    this.changed();
  }

  zoom(factor, place) {
    const [low, high] = this.view;
    const fixed = place ?? this.cursor ?? (low + high) / 2;
    this.zoomTo(fixed - (fixed - low) / factor, fixed + (high - fixed) / factor);
  }

  move(by) {
    const [low, high] = this.view;
    if (this.look.range) this.zoomTo(low + by, high + by);
  }

  // After something about the look has changed: drawn at once; Python hears of it when it rests.
  changed() {
    this.fit(true);
    this.showTools();
    this.read();
    this.draw();
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.tell(), REST);
  }

  tell() {
    const { x } = this.look;
    const steps = {};
    if (this.look.range)
      for (const line of this.shown) {
        const asked = line.closer(...this.view.map((place) => line.step(place, x)));
        if (asked) steps[line.name] = asked;
      }
    const look = { ...this.look, steps };
    const words = JSON.stringify(look);
    if (words === this.told) return;
    this.told = words;
    this.remember(look);
  }

  resize() {
    if (!this.data) return;
    for (const panel of this.panels.values()) panel.resize();
    this.draw();
  }

  // --- Drawing ----------------------------------------------------------------------------------------------------

  draw() {
    this.stale = true;
    this.point();
  }

  // The cursor alone, unless more has changed.
  point() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      if (!this.whole) return;
      for (const panel of this.panels.values()) {
        if (this.stale) panel.redraw();
        panel.redrawCursor();
      }
      this.stale = false;
    });
  }

  // --- Reading ----------------------------------------------------------------------------------------------------

  // Every head says what is at the cursor, or the newest.
  read(aloud = false) {
    const line = this.lines[0];
    const { x } = this.look;
    for (const panel of this.panels.values()) panel.say();
    if (this.cursor === null) {
      this.readout.textContent = HINT;
      return;
    }
    const step = Math.round(line.step(this.cursor, x));
    const words = [`Step ${count(step)}`];
    if (line.places.epoch.length) words.push(`epoch ${line.place(step, "epoch").toFixed(2)}`);
    if (line.places.hours.at(-1)) words.push(span(line.place(step, "hours")));
    const phase = this.data.phases.find(({ to }) => step <= to);
    if (phase) words.push(`${phase.said}${this.several ? ` of ${line.name}` : ""}`);
    this.readout.textContent = words.join(" · ");
    if (aloud) this.live.textContent = `${words[0]}. ${this.at?.panel?.spoken() ?? ""}`;
  }

  // The cursor goes to the measurement of a panel that is nearest to a place.
  readAt(panel, place, row = null, aloud = false) {
    const found = panel.nearest(place);
    this.at = { panel, row };
    this.cursor = found ?? clamp(place, ...this.view);
    this.read(aloud);
    this.point();
  }

  // Where a race above the curves is.
  goTo(step) {
    if (!this.data) return;
    this.cursor = clamp(this.lines[0].place(step, this.look.x), ...this.view);
    this.read();
    this.point();
  }

  hide() {
    this.cursor = this.at = null;
    this.read();
    this.point();
  }

  pick() {
    if (this.cursor !== null) this.choose(Math.round(this.lines[0].step(this.cursor, this.look.x)));
  }

  // --- Pointer and keys -------------------------------------------------------------------------------------------

  listen() {
    const set = (change) => () => {
      change();
      this.changed();
    };
    for (const button of this.root.querySelectorAll("[data-x]"))
      button.onclick = set(() => {
        Object.assign(this.look, { x: button.dataset.x, range: null });
        this.cursor = null;
      });
    const actions = {
      log: set(() => {
        const logs = this.data.panels.filter(({ log }) => log).map(({ name }) => name);
        this.look.log = logs.every((name) => this.look.log.includes(name)) ? [] : logs;
      }),
      closer: () => this.zoom(1.6),
      farther: () => this.zoom(1 / 1.6),
      whole: set(() => (this.look.range = null)),
      svg: () => this.save([...this.panels.values()], "svg"),
      png: () => this.save([...this.panels.values()], "png"),
    };
    for (const button of this.root.querySelectorAll("[data-do]")) button.onclick = actions[button.dataset.do];
    this.actions = actions;
    this.slider.oninput = set(() => (this.look.smooth = this.stops[this.slider.value]));
    this.box.onpointerenter = () => (this.inside = true);
    this.box.onpointerleave = () => {
      this.inside = false;
      if (!this.pointers.size) this.hide();
      this.fit();
      this.draw();
    };
  }

  key(panel, event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { closer, farther, whole } = this.actions;
    const along = (by) => () => this.readAt(panel, panel.along(by), this.at?.row, true);
    const many = event.shiftKey ? 10 : 1;
    const keys = {
      ArrowLeft: along(-many),
      ArrowRight: along(many),
      ArrowUp: () => panel.turn?.(-1),
      ArrowDown: () => panel.turn?.(1),
      Home: along(-Infinity),
      End: along(Infinity),
      Enter: () => this.pick(),
      " ": () => this.pick(),
      Escape: () => this.hide(),
      "+": closer,
      "=": closer,
      "-": farther,
      0: whole,
    };
    if (!keys[event.key]) return;
    keys[event.key]();
    event.preventDefault();
  }

  down(panel, event) {
    if (event.button) return;
    panel.over.setPointerCapture(event.pointerId);
    const spot = panel.spot(event);
    this.pointers.set(event.pointerId, spot);
    this.began = { spot, travelled: this.pointers.size > 1, pan: event.shiftKey, touch: event.pointerType === "touch" };
  }

  hover(panel, event) {
    const spot = panel.spot(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) return this.readAt(panel, panel.toPlace(spot[0]), panel.row?.(spot[1]));
    const { began } = this;
    if (!began.travelled && Math.abs(spot[0] - began.spot[0]) < NEAR) return;
    began.travelled = true;
    const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    this.pointers.set(event.pointerId, spot);
    const places = (...pixels) => pixels.map((px) => panel.toPlace(px));
    if (other) {
      const factor = clamp(Math.abs(spot[0] - other[0]) / Math.max(8, Math.abs(before[0] - other[0])), 0.5, 2);
      const [from, to] = places((before[0] + other[0]) / 2, (spot[0] + other[0]) / 2);
      this.zoom(factor, from);
      this.move(from - to);
    } else if (began.touch) this.readAt(panel, panel.toPlace(spot[0]), panel.row?.(spot[1]));
    else if (began.pan) this.move(places(before[0])[0] - places(spot[0])[0]);
    else {
      this.brush = places(began.spot[0], spot[0]).sort((a, b) => a - b);
      this.point();
    }
  }

  up(panel, event, cancelled = false) {
    if (!this.pointers.delete(event.pointerId)) return;
    const { brush, began } = this;
    this.brush = null;
    if (cancelled) this.point();
    else if (brush) this.zoomTo(...brush);
    else if (!began.travelled) {
      this.readAt(panel, panel.toPlace(panel.spot(event)[0]), panel.row?.(panel.spot(event)[1]));
      clearTimeout(this.clicking);
      this.clicking = setTimeout(() => this.pick(), TWICE);
    }
  }

  twice() {
    clearTimeout(this.clicking);
    this.actions.whole();
  }

  wheel(panel, event) {
    const across = Math.abs(event.deltaX) > Math.abs(event.deltaY) && this.look.range;
    if (!event.ctrlKey && !event.metaKey && !across) return; // the page scrolls, as everywhere
    event.preventDefault();
    const [low, high] = this.view;
    if (across) this.move((event.deltaX / panel.width) * (high - low));
    else this.zoom(Math.exp(-clamp(event.deltaY, -60, 60) / 120), panel.toPlace(panel.spot(event)[0]));
  }

  // --- Pictures ---------------------------------------------------------------------------------------------------

  // Panels as they are on the screen, with their names, in the rows in which they stand there.
  save(panels, kind) {
    const tops = [...new Set(panels.map(({ section }) => section.offsetTop))];
    const lefts = [...new Set(panels.map(({ section }) => section.offsetLeft))];
    const [head, gap, foot] = [26, 14, this.several ? 26 : 0];
    const places = panels.map((panel) => {
      const row = tops.indexOf(panel.section.offsetTop);
      const above = tops.slice(0, row).reduce((sum, top) => {
        const heights = panels.filter(({ section }) => section.offsetTop === top).map(({ height }) => height);
        return sum + Math.max(...heights) + head + gap;
      }, gap);
      return { panel, left: gap + panel.section.offsetLeft - Math.min(...lefts), top: above };
    });
    const width = Math.max(...places.map(({ panel, left }) => left + panel.width)) + gap;
    const height = Math.max(...places.map(({ panel, top }) => top + head + panel.height)) + gap + foot;
    const name = `${this.data.name}-${panels.length > 1 ? "curves" : panels[0].what.name}`;
    const paint = (pen) => {
      for (const { panel, left, top } of places) {
        pen.font = `600 13px ${this.font}`;
        pen.textAlign = "left";
        pen.fillStyle = this.ink;
        pen.fillText(`${panel.what.title} · ${panel.what.symbol}${panel.what.unit ? ` (${panel.what.unit})` : ""}`, left + 4, top + 15);
        panel.paint(pen, left, top + head);
      }
      let left = gap + 10;
      for (const line of this.several ? this.shown : []) {
        this.badge(pen, left, height - gap - 6, line);
        pen.font = `12px ${this.font}`;
        pen.textAlign = "left";
        pen.fillStyle = this.ink;
        pen.fillText(line.name, left + 12, height - gap - 2);
        left += 34 + pen.measureText(line.name).width;
      }
    };
    if (kind === "svg") {
      const pen = new Picture(width, height, this.ground, this.font);
      paint(pen);
      return download(pen.blob(), `${name}.svg`);
    }
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [2 * width, 2 * height];
    const pen = canvas.getContext("2d");
    pen.scale(2, 2);
    pen.fillStyle = this.ground;
    pen.fillRect(0, 0, width, height);
    paint(pen);
    canvas.toBlob((blob) => download(blob, `${name}.png`));
  }

  // The letter of a run on its colour.
  badge(pen, x, y, { letter, colour }) {
    pen.globalAlpha = 1;
    pen.beginPath();
    pen.arc(x, y, 7, 0, 2 * Math.PI);
    pen.fillStyle = colour;
    pen.fill();
    pen.fillStyle = onColour(colour);
    pen.font = `600 10px ${this.font}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(letter, x, y + 0.5);
    pen.textBaseline = "alphabetic";
  }
}

// One run: its measurements by split and figure, and where its steps are on each axis.
class Line {
  constructor(run) {
    Object.assign(this, run);
    this.known = new Map();
    this.end = Math.max(0, ...[this.train, this.valid].map(({ last }) => last.at(-1) ?? 0));
  }

  place(step, axis) {
    return axis === "step" ? step : between(this.places.step, this.places[axis], step);
  }

  step(place, axis) {
    return axis === "step" ? place : between(this.places[axis], this.places.step, place);
  }

  // The measurements of a figure, in order: `step` of the last of them, their range of steps, count and values.
  points(split, figure) {
    const key = `${split} ${figure}`;
    if (!this.known.has(key)) {
      const coarse = unfold(this[split], figure);
      const { close } = this;
      const fine = close ? unfold(close[split], figure) : [];
      const before = fine.length ? coarse.filter(({ step }) => step < close.low) : coarse;
      const after = fine.length ? coarse.filter(({ step }) => step > close.high) : [];
      this.known.set(key, [...before, ...fine, ...after]);
    }
    return this.known.get(key);
  }

  // Of a figure the line that is meant: held-out sentences, unless there are none, or it is about training itself.
  main({ name, training }) {
    const [first, second] = training ? ["train", "valid"] : ["valid", "train"];
    return this.points(first, name).length ? first : second;
  }

  // The most measurements that one point stands for, between two steps.
  coarsest(low, high) {
    let most = 1;
    for (const split of ["train", "valid"]) {
      const figure = Object.keys(this[split].figures)[0];
      if (figure) for (const point of this.points(split, figure)) if (point.step >= low && point.first <= high) most = Math.max(most, point.count);
    }
    return most;
  }

  // The steps to be asked for, where what is here between two steps is too coarse; those that were, while they do.
  closer(low, high) {
    const { close } = this;
    const width = high - low;
    const within = close && low >= close.low && high <= Math.max(close.high, this.end);
    if (within && (this.coarsest(low, high) === 1 || close.high - close.low < 4 * width)) return [close.low, close.high];
    if (!within && this.coarsest(low, high) === 1) return null;
    return [Math.max(0, Math.floor(low - width / 2)), Math.ceil(high + width / 2)];
  }
}

// One figure: its head, its plot, and the cursor over it.
class Panel {
  constructor(curves, what) {
    this.curves = curves;
    this.what = what;
    this.section = element("section", "panel");
    const header = element("header");
    this.title = element("h2");
    const about = element("button", "about", "?");
    this.tip = element("div", "tip");
    this.log = element("button", "", "log");
    const [svg, png] = ["SVG", "PNG"].map((kind) => {
      const button = element("button", "", kind);
      button.title = `This panel as it is, as ${kind === "SVG" ? "an SVG" : "a PNG"} file`;
      button.onclick = () => curves.save([this], kind.toLowerCase());
      return button;
    });
    this.log.title = "On a logarithmic axis";
    this.log.onclick = () => {
      const { look } = curves;
      const { name } = this.what;
      look.log = look.log.includes(name) ? look.log.filter((other) => other !== name) : [...look.log, name];
      curves.changed();
    };
    for (const button of [about, this.log, svg, png]) button.type = "button";
    this.about = about;
    header.append(this.title, about, this.tip, element("span", "gap"), this.log, svg, png);
    this.values = element("div", "values");
    this.said = element("p", "said");
    const stage = element("div", "stage");
    this.base = element("canvas");
    this.over = element("canvas", "over");
    this.over.tabIndex = 0;
    this.over.setAttribute("role", "application");
    stage.append(this.base, this.over);
    this.section.append(header, this.values, this.said, stage);
    this.listen();
  }

  listen() {
    const { curves, over } = this;
    over.onpointerdown = (event) => curves.down(this, event);
    over.onpointermove = (event) => curves.hover(this, event);
    over.onpointerup = (event) => curves.up(this, event);
    over.onpointercancel = (event) => curves.up(this, event, true);
    over.ondblclick = () => curves.twice();
    over.onkeydown = (event) => curves.key(this, event);
    over.onblur = () => {
      if (!curves.inside && curves.at?.panel === this) curves.hide();
    };
    over.addEventListener("wheel", (event) => curves.wheel(this, event), { passive: false });
  }

  head() {
    const { title, symbol, definition, besideDefinition, besideName } = this.what;
    this.title.textContent = this.title.title = title.toLowerCase().startsWith(symbol) ? title : `${title} · ${symbol}`;
    this.tip.textContent = besideDefinition ? `${definition} Dotted, ${besideName}: ${besideDefinition}` : definition;
    this.about.setAttribute("aria-label", `What is ${symbol}? ${definition}`);
    const { runs } = this.curves.data;
    this.over.setAttribute(
      "aria-label",
      `${title}, ${symbol}, over training: ${runs.map(({ name }) => name).join(", ")}. Arrow keys go from measurement to measurement, Enter shows what was written then.`,
    );
  }

  showTools() {
    this.log.hidden = !this.what.log;
    this.log.setAttribute("aria-pressed", String(this.logarithmic));
  }

  get logarithmic() {
    return this.what.log && this.curves.look.log.includes(this.what.name);
  }

  // --- What is at the cursor ------------------------------------------------------------------------------------------

  // The measurement of a line nearest to a place; without one, the newest.
  measured(line, split, figure, place) {
    const points = line.points(split, figure);
    if (place === null || !points.length) return points.at(-1) ?? null;
    const step = line.step(place, this.curves.look.x);
    return points[nearestIndex(points, step)];
  }

  nearest(place) {
    const { curves } = this;
    const line = this.reader();
    if (!line) return null;
    const point = this.measured(line, line.main(this.what), this.what.name, place);
    const found = line.place(point.step, curves.look.x);
    const [low, high] = curves.view;
    return found >= low && found <= high ? found : null;
  }

  // The run whose measurements the cursor goes along: the first that is shown and has any.
  reader() {
    const { what } = this;
    return this.curves.shown.find((line) => line.points(line.main(what), what.name).length);
  }

  along(by) {
    const { curves } = this;
    const line = this.reader();
    if (!line) return curves.view[0];
    const points = line.points(line.main(this.what), this.what.name);
    const [low, high] = curves.view.map((place) => line.step(place, curves.look.x));
    const first = points.findIndex(({ step }) => step >= low);
    const last = points.findLastIndex(({ step }) => step <= high);
    const here = curves.cursor === null ? (by < 0 ? last + 1 : first - 1) : nearestIndex(points, line.step(curves.cursor, curves.look.x));
    return line.place(points[clamp(here + by, Math.max(0, first), Math.max(0, last))].step, curves.look.x);
  }

  // Over how many steps it is smoothed: what follows a plan is not.
  get smooth() {
    return this.what.planned ? 0 : this.curves.look.smooth;
  }

  value(line, point) {
    return this.smooth ? this.smoothed(line, line.main(this.what)).get(point) : point.value;
  }

  smoothed(line, split, figure = this.what.name) {
    const { smooth } = this;
    const key = `${split} ${figure} ${smooth}`;
    if (!line.known.has(key)) line.known.set(key, average(line.points(split, figure), smooth));
    return line.known.get(key);
  }

  // The figures of all runs at the cursor, each of its nearest measurement.
  say() {
    const { curves, what } = this;
    const { lines, several, cursor } = curves;
    const found = lines.map((line) => ({ line, point: this.measured(line, line.main(what), what.name, cursor) }));
    this.values.classList.toggle("several", several);
    const chips = found.map(({ line, point }) => {
      const chip = element("span");
      const muted = curves.muted.has(line.name);
      if (several) chip.append(sign(line.letter, line.colour));
      if (several) chip.title = line.name;
      chip.classList.toggle("past", cursor !== null && line.step(cursor, curves.look.x) > line.end);
      chip.append(element("span", "value", point && !muted ? show(this.value(line, point), what.digits) : "–"));
      return chip;
    });
    this.values.replaceChildren(...chips);
    if (!several) chips[0].append(" ", element("span", "unit", what.unit));
    this.said.textContent = this.said.title = this.remarks(found).join(" · ");
  }

  remarks(found) {
    const { curves, what } = this;
    const { cursor, several } = curves;
    const words = [];
    const [{ line, point }] = found;
    const main = line.main(what);
    if (point && !several) {
      words.push(cursor === null ? "newest" : `step ${count(point.step)}`);
      const other = main === "valid" && this.measured(line, "train", what.name, cursor);
      if (what.beside) {
        const beside = this.measured(line, "valid", what.beside, cursor) ?? this.measured(line, "train", what.beside, cursor);
        if (beside) words.push(`${what.besideName} ${show(beside.value, what.digits)}`);
      }
      if (other) words.push(`training ${show(other.value, what.digits)}`);
      else if (main === "train" && !what.training) words.push("while training");
      if (cursor !== null && point.count > 1) words.push(`${show(point.low, what.digits)} to ${show(point.high, what.digits)} in ${count(point.count)} since step ${count(point.first)}`);
    } else if (several) {
      const steps = new Set(found.filter(({ line, point }) => point && !curves.muted.has(line.name)).map(({ point }) => point.step));
      words.push(cursor === null ? "newest" : steps.size > 1 ? "each at its nearest measurement" : `step ${count([...steps][0] ?? 0)}`);
    }
    if (this.smooth) words.unshift("smoothed");
    if (several && what.unit) words.unshift(what.unit);
    if (this.logarithmic && this.lost) words.unshift(`${count(this.lost)} of 0 or less cannot be shown`);
    return words;
  }

  spoken() {
    return `${this.what.title}: ${[...this.values.children].map((chip, i) => `${this.curves.several && this.curves.lines[i] ? `${this.curves.lines[i].name} ` : ""}${chip.querySelector(".value")?.textContent ?? chip.textContent}`).join(", ")} ${this.curves.several ? "" : this.what.unit}`;
  }

  // --- The plot -----------------------------------------------------------------------------------------------------

  // The range of values that is to be seen.
  fit() {
    const { curves, what } = this;
    const { look, view } = curves;
    let [low, high] = [Infinity, -Infinity];
    this.lost = 0;
    for (const line of curves.shown) {
      const [from, to] = view.map((place) => line.step(place, look.x));
      for (const [split, figure] of this.drawn(line))
        for (const point of line.points(split, figure)) {
          if (point.step < from || point.first > to) continue;
          if (this.logarithmic && figure === what.name && point.low <= 0) this.lost += 1;
          const least = this.logarithmic ? (point.low > 0 ? point.low : point.high) : point.low;
          if (this.logarithmic && point.high <= 0) continue;
          [low, high] = [Math.min(low, least), Math.max(high, point.high)];
        }
    }
    if (this.logarithmic) {
      if (low > high) [low, high] = [0.1, 10];
      const [bottom, top] = [Math.log10(low), Math.log10(high)];
      const room = Math.max(0.06 * (top - bottom), 0.08);
      this.domain = [bottom - room, top + room];
      return;
    }
    if (low > high) [low, high] = [0, what.reach || 1];
    if (!look.range) [low, high] = [Math.min(low, 0), Math.max(high, what.reach)];
    if (what.top) [low, high] = [0, what.top];
    const least = (what.reach || Math.abs(high) || 1) / 20;
    if (high - low < least) [low, high] = [low - least / 2, high + least / 2];
    const room = 0.06 * (high - low);
    this.domain = [low - (low === 0 ? room / 2 : room), high + room];
  }

  // The lines of a run: main, faint, beside.
  drawn(line) {
    const { what } = this;
    const main = line.main(what);
    const lines = [[main, what.name]];
    if (main === "valid") lines.push(["train", what.name]);
    if (what.beside) lines.push([line.points("valid", what.beside).length ? "valid" : "train", what.beside]);
    return lines;
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.base;
    if (!width || (width === this.width && height === this.height && this.ratio === window.devicePixelRatio)) return;
    Object.assign(this, { width, height, ratio: window.devicePixelRatio });
    for (const canvas of [this.base, this.over]) {
      canvas.width = Math.round(width * (this.ratio || 1));
      canvas.height = Math.round(height * (this.ratio || 1));
      canvas.getContext("2d").setTransform(this.ratio || 1, 0, 0, this.ratio || 1, 0, 0);
    }
  }

  spot(event) {
    const box = this.over.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  toPlace(px) {
    const [low, high] = this.curves.view;
    return low + ((px - EDGE.left) / (this.width - EDGE.left - EDGE.right)) * (high - low);
  }

  across(place) {
    const [low, high] = this.curves.view;
    return EDGE.left + ((place - low) / (high - low)) * (this.width - EDGE.left - EDGE.right);
  }

  up(value) {
    const [low, high] = this.domain;
    const at = this.logarithmic ? Math.log10(value) : value;
    return EDGE.top + ((high - at) / (high - low)) * (this.height - EDGE.top - EDGE.bottom);
  }

  redraw() {
    if (!this.width) return;
    const pen = this.base.getContext("2d");
    pen.clearRect(0, 0, this.width, this.height);
    this.paint(pen, 0, 0);
  }

  paint(pen, left, top) {
    if (!this.domain) return;
    pen.save();
    this.paintPhases(pen, left, top);
    this.paintValues(pen, left, top);
    this.paintPlaces(pen, left, top);
    this.paintChosen(pen, left, top);
    pen.beginPath();
    pen.rect(left + EDGE.left, top + EDGE.top - 3, this.width - EDGE.left - EDGE.right + 4, this.height - EDGE.top - EDGE.bottom + 6);
    pen.clip();
    pen.lineJoin = "round";
    for (const line of [...this.curves.shown].reverse()) this.paintLine(pen, line, left, top);
    pen.restore();
    if (this.curves.several) this.paintLetters(pen, left, top);
  }

  paintPhases(pen, left, top, shaded = true) {
    const { curves } = this;
    const { phases, quiet, faint } = curves.data;
    const [line] = curves.lines;
    const right = this.width - EDGE.right;
    const base = this.height - EDGE.bottom;
    phases.forEach(({ name, number, from, to }, index) => {
      const last = index === phases.length - 1;
      const [start, end] = [from, to].map((step) => clamp(this.across(line.place(step, curves.look.x)), EDGE.left, right));
      if (end - start < 1 && !last) return;
      pen.fillStyle = curves.ink;
      pen.globalAlpha = shaded && index % 2 ? 0.045 : 0;
      pen.beginPath();
      pen.rect(left + start, top + EDGE.top, end - start, base - EDGE.top);
      pen.fill();
      pen.globalAlpha = 1;
      if (start > EDGE.left) this.stroke(pen, [[left + start, top + 4], [left + start, top + base]], quiet, 1);
      pen.font = `11px ${curves.font}`;
      pen.fillStyle = faint;
      pen.textAlign = "left";
      const words = [name, number].find((words) => pen.measureText(words).width < end - start - 8);
      if (words) pen.fillText(words, left + start + 4, top + EDGE.top - 5);
    });
  }

  paintValues(pen, left, top) {
    const { curves } = this;
    const base = this.height - EDGE.bottom;
    const [start, end] = [left + EDGE.left, left + this.width - EDGE.right];
    pen.font = `11px ${curves.font}`;
    const values = this.logarithmic ? powers(...this.domain) : ticks(...this.domain, 5);
    for (const value of values) {
      const y = top + this.up(value);
      if (y < top + EDGE.top - 1 || y > top + base + 1) continue;
      pen.globalAlpha = 0.14;
      this.stroke(pen, [[start, y], [end, y]], curves.ink, 1);
      pen.globalAlpha = 0.75;
      pen.fillStyle = curves.ink;
      pen.textAlign = "right";
      pen.fillText(short(value), start - 6, y + 4);
    }
    pen.globalAlpha = 1;
  }

  paintPlaces(pen, left, top) {
    const { curves } = this;
    const base = this.height - EDGE.bottom;
    const [start, end] = [left + EDGE.left, left + this.width - EDGE.right];
    pen.font = `11px ${curves.font}`;
    const [low, high] = curves.view;
    const marks = ticks(low, high, Math.max(2, Math.floor(this.width / 70)));
    for (const place of marks) {
      const x = left + this.across(place);
      pen.globalAlpha = 0.75;
      pen.fillStyle = curves.ink;
      pen.textAlign = x > end - 14 ? "right" : "center";
      pen.fillText(short(place), x > end - 14 ? end : x, top + base + 14);
    }
    pen.globalAlpha = 0.4;
    this.stroke(pen, [[start, top + base], [end, top + base]], curves.ink, 1);
    pen.globalAlpha = 1;
  }

  paintChosen(pen, left, top) {
    const { chosen } = this.curves.data;
    if (chosen === null) return;
    const x = left + this.across(this.curves.lines[0].place(chosen, this.curves.look.x));
    if (x < left + EDGE.left - 1 || x > left + this.width - EDGE.right + 1) return;
    pen.setLineDash([5, 4]);
    this.stroke(pen, [[x, top + EDGE.top], [x, top + this.height - EDGE.bottom]], this.curves.accent, 1.6);
    pen.setLineDash([]);
  }

  paintLine(pen, line, left, top) {
    const { what, curves, smooth } = this;
    const main = line.main(what);
    const draw = (split, figure, width, alpha, average = false, dash = []) => {
      pen.globalAlpha = alpha;
      pen.setLineDash(dash);
      const points = this.visible(line, split, figure);
      const values = average && this.smoothed(line, split, figure);
      if (!average) this.paintBars(pen, line, points, left, top, alpha);
      pen.globalAlpha = alpha;
      let path = [];
      const paths = [path];
      for (const point of points) {
        const value = average ? values.get(point) : point.count > 1 ? point.mean : point.value;
        const shown = point === points.at(-1) && !average ? point.value : value;
        if (this.logarithmic && !(shown > 0)) paths.push((path = []));
        else path.push([left + this.across(line.place(point.step, curves.look.x)), top + this.up(shown)]);
      }
      for (const path of paths) this.stroke(pen, path, line.colour, width);
      pen.setLineDash([]);
      return paths.flat();
    };
    if (what.beside) {
      const [split] = this.drawn(line).at(-1);
      draw(split, what.beside, 1.5, 0.8, false, [2, 3]);
    }
    if (main === "valid") draw("train", what.name, 1, smooth ? 0.14 : 0.36);
    if (main === "valid" && smooth) draw("train", what.name, 1.2, 0.5, true);
    const places = draw(main, what.name, smooth ? 1.2 : 2, smooth ? 0.3 : 1);
    if (smooth) draw(main, what.name, 2.2, 1, true);
    if (main === "valid" && places.length < this.width / 7 && !smooth) {
      pen.globalAlpha = 1;
      pen.fillStyle = line.colour;
      pen.beginPath();
      for (const [x, y] of places) {
        pen.moveTo(x + 2.4, y);
        pen.arc(x, y, 2.4, 0, 2 * Math.PI);
      }
      pen.fill();
    }
  }

  // From the least to the largest value of points that stand for several.
  paintBars(pen, line, points, left, top, alpha) {
    pen.globalAlpha = 0.45 * alpha;
    pen.strokeStyle = line.colour;
    pen.lineWidth = 1.2;
    pen.beginPath();
    for (const point of points) {
      if (point.count < 2 || (this.logarithmic && !(point.high > 0))) continue;
      const x = left + this.across(line.place(point.step, this.curves.look.x));
      pen.moveTo(x, top + this.up(point.high));
      pen.lineTo(x, this.logarithmic && !(point.low > 0) ? top + this.height - EDGE.bottom : top + this.up(point.low));
    }
    pen.stroke();
  }

  // The measurements that are in sight, and one to either side.
  visible(line, split, figure) {
    const points = line.points(split, figure);
    const [low, high] = this.curves.view.map((place) => line.step(place, this.curves.look.x));
    const first = points.findIndex(({ step }) => step >= low);
    if (first < 0) return points.slice(-1);
    const after = points.findIndex(({ step }) => step > high);
    return points.slice(Math.max(0, first - 1), after < 0 ? points.length : after + 1);
  }

  // At the end of each curve the letter of its run; where curves end together, one below the other.
  paintLetters(pen, left, top) {
    const { curves, what } = this;
    const ends = [];
    for (const line of curves.shown) {
      const [, high] = curves.view.map((place) => line.step(place, curves.look.x));
      const point = line.points(line.main(what), what.name).findLast(({ step }) => step <= high);
      if (!point) continue;
      const value = this.value(line, point);
      const x = this.across(line.place(point.step, curves.look.x));
      if (x < EDGE.left || (this.logarithmic && !(value > 0))) continue;
      ends.push({ line, x: Math.min(x + 9, this.width - 8), y: clamp(this.up(value), EDGE.top, this.height - EDGE.bottom) });
    }
    const room = 14;
    ends.sort((a, b) => a.y - b.y);
    ends.forEach((end, index) => {
      for (const other of ends.slice(0, index)) if (Math.abs(other.x - end.x) < room && end.y - other.y < room) end.y = other.y + room;
    });
    const below = (ends.at(-1)?.y ?? 0) - (this.height - 9);
    for (const { line, x, y } of ends) curves.badge(pen, left + x, top + (below > 0 ? y - below : y), line);
  }

  stroke(pen, path, colour, width) {
    if (!path.length) return;
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    path.forEach(([x, y], index) => (index ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    if (path.length === 1) pen.lineTo(path[0][0] + 0.1, path[0][1]);
    pen.stroke();
  }

  redrawCursor() {
    if (!this.width || !this.domain) return;
    const { curves, what } = this;
    const pen = this.over.getContext("2d");
    pen.clearRect(0, 0, this.width, this.height);
    const base = this.height - EDGE.bottom;
    if (curves.brush) {
      const [from, to] = curves.brush.map((place) => clamp(this.across(place), EDGE.left, this.width - EDGE.right));
      pen.globalAlpha = 0.18;
      pen.fillStyle = curves.accent;
      pen.fillRect(from, EDGE.top, to - from, base - EDGE.top);
      pen.globalAlpha = 1;
    }
    if (curves.cursor === null) return;
    const x = this.across(curves.cursor);
    if (x < EDGE.left - 1 || x > this.width - EDGE.right + 1) return;
    pen.globalAlpha = 0.55;
    this.stroke(pen, [[x, EDGE.top], [x, base]], curves.ink, 1);
    pen.globalAlpha = 1;
    this.paintReadings(pen, what);
  }

  paintReadings(pen, what) {
    const { curves } = this;
    for (const line of curves.shown) {
      const point = this.measured(line, line.main(what), what.name, curves.cursor);
      if (!point) continue;
      const value = this.value(line, point);
      const x = this.across(line.place(point.step, curves.look.x));
      if (x < EDGE.left - 1 || x > this.width - EDGE.right + 1 || (this.logarithmic && !(value > 0))) continue;
      pen.beginPath();
      pen.arc(x, this.up(value), 4.2, 0, 2 * Math.PI);
      pen.fillStyle = line.colour;
      pen.strokeStyle = curves.ground;
      pen.lineWidth = 1.6;
      pen.fill();
      pen.stroke();
    }
  }
}

const HEAT = {
  title: "KL of each dimension",
  symbol: "a row a dimension of z, the most used on top",
  unit: "",
  definition: "The mean KL of each dimension of z at each check, in nats, on a logarithmic scale: light is used, dark is not. A collapse is seen at once: every row goes dark, and in which order.",
  digits: 2,
};

// The KL of each dimension, as shades: of the first run.
class Heat extends Panel {
  constructor(curves, what) {
    super(curves, what);
    this.section.classList.add("wide");
  }

  head() {
    super.head();
    const { heat } = this.curves.data;
    if (this.heat && this.heat.kl.length === heat.kl.length && this.heat.steps.at(-1) === heat.steps.at(-1)) return;
    this.heat = heat;
    this.shades = Array.from({ length: 32 }, (_, i) => blend(heat.ramp, i / 31));
  }

  shade(nats) {
    const { floor, full } = this.heat;
    return Math.round(31 * clamp(Math.log(Math.max(nats, floor) / floor) / Math.log(full / floor), 0, 1));
  }

  get line() {
    return this.curves.lines[0];
  }

  reader() {
    return this.line;
  }

  column(place) {
    const { steps } = this.heat;
    if (place === null) return steps.length - 1;
    return nearestIndex(steps.map((step) => ({ step })), this.line.step(place, this.curves.look.x));
  }

  nearest(place) {
    const found = this.line.place(this.heat.steps[this.column(place)], this.curves.look.x);
    const [low, high] = this.curves.view;
    return found >= low && found <= high ? found : null;
  }

  along(by) {
    const { curves, heat } = this;
    const here = curves.cursor === null ? (by < 0 ? heat.steps.length : -1) : this.column(curves.cursor);
    return this.line.place(heat.steps[clamp(here + by, 0, heat.steps.length - 1)], curves.look.x);
  }

  row(py) {
    const { order } = this.heat;
    return clamp(Math.floor(((py - EDGE.top) / (this.height - EDGE.top - EDGE.bottom)) * order.length), 0, order.length - 1);
  }

  turn(by) {
    const { curves, heat } = this;
    const row = clamp((curves.at?.row ?? -1) + by, 0, heat.order.length - 1);
    curves.readAt(this, curves.cursor ?? this.along(Infinity), row, true);
  }

  say() {
    const { curves, heat } = this;
    const column = this.column(curves.cursor);
    const kl = heat.kl[column];
    const row = curves.at?.panel === this ? curves.at.row : null;
    const dimension = heat.order[row ?? 0];
    const value = element("span");
    value.append(element("span", "value", `z${dimension}: ${show(kl[dimension], 2)}`), " ", element("span", "unit", "nats"));
    const ramp = element("span", "ramp");
    const bar = element("i");
    bar.style.background = `linear-gradient(90deg, ${heat.ramp.join(", ")})`;
    ramp.append(`${heat.floor} or less`, bar, `${heat.full} nats or more`);
    this.values.replaceChildren(value, ramp);
    const used = kl.filter((nats) => nats > 0.1).length;
    const which = row === null ? "finally the most used" : `row ${row + 1} of ${kl.length}`;
    this.said.textContent = `${which} · ${curves.cursor === null ? "newest" : `step ${count(heat.steps[column])}`} · ${used} of ${kl.length} above 0.1 nats, ${show(kl.reduce((sum, nats) => sum + nats, 0), 1)} in all`;
  }

  spoken() {
    return `${this.values.firstChild.textContent}, ${this.said.textContent}`;
  }

  fit() {
    this.domain = [0, 1];
  }

  // A column reaches half way to its neighbours.
  bounds() {
    const { steps } = this.heat;
    const places = steps.map((step) => this.line.place(step, this.curves.look.x));
    return places.map((place, i) => [
      i ? (places[i - 1] + place) / 2 : place,
      i + 1 < places.length ? (place + places[i + 1]) / 2 : place,
    ]);
  }

  paint(pen, left, top) {
    const { heat, curves } = this;
    const [bottom, right] = [this.height - EDGE.bottom, this.width - EDGE.right];
    const tall = (bottom - EDGE.top) / heat.order.length;
    const squares = this.shades.map(() => []);
    this.bounds().forEach(([from, to], column) => {
      const [start, end] = [from, to].map((place) => clamp(this.across(place), EDGE.left, right));
      const only = heat.steps.length === 1 ? 6 : 0;
      if (end - start + only <= 0) return;
      let run = null;
      heat.order.forEach((dimension, row) => {
        const shade = this.shade(heat.kl[column][dimension]);
        if (run?.shade === shade) run.rows += 1;
        else squares[shade].push((run = { shade, row, rows: 1, start, width: end - start + only }));
      });
    });
    pen.save();
    squares.forEach((parts, shade) => {
      if (!parts.length) return;
      pen.fillStyle = this.shades[shade];
      pen.beginPath();
      for (const { row, rows, start, width } of parts) pen.rect(left + start, top + EDGE.top + row * tall, width + 0.4, rows * tall + 0.4);
      pen.fill();
    });
    pen.restore();
    this.paintPhases(pen, left, top, false);
    this.paintPlaces(pen, left, top);
    this.paintChosen(pen, left, top);
    pen.font = `11px ${curves.font}`;
    pen.globalAlpha = 0.75;
    pen.fillStyle = curves.ink;
    pen.textAlign = "right";
    const every = Math.ceil(13 / tall);
    heat.order.forEach((dimension, row) => {
      if (row % every === 0) pen.fillText(`z${dimension}`, left + EDGE.left - 6, top + EDGE.top + (row + 0.5) * tall + 4);
    });
    pen.globalAlpha = 1;
  }

  paintReadings(pen) {
    const { curves, heat } = this;
    if (curves.at?.panel !== this || curves.at.row === null) return;
    const tall = (this.height - EDGE.top - EDGE.bottom) / heat.order.length;
    const y = EDGE.top + curves.at.row * tall;
    pen.strokeStyle = curves.ink;
    pen.lineWidth = 1;
    pen.strokeRect(EDGE.left - 0.5, y - 0.5, this.width - EDGE.left - EDGE.right + 1, tall + 1);
  }
}

// --- Numbers --------------------------------------------------------------------------------------------------------

// The points of one figure in a table of columns; where it was not measured, there is none.
function unfold({ first, last, count: counts, figures }, figure) {
  const columns = figures[figure];
  if (!columns) return [];
  const points = [];
  columns.last.forEach((value, i) => {
    if (value === null) return;
    const only = counts[i] === 1;
    const [low, high, mean] = only ? [value, value, value] : [columns.low[i], columns.high[i], columns.mean[i]];
    points.push({ step: last[i], first: first[i], count: counts[i], value, low, high, mean });
  });
  return points;
}

// An average over the points before and at each, which weigh less by 1/e for so many steps that they lie back; divided
// by the sum of the weights, so that the beginning is no guess.
function average(points, steps) {
  const values = new Map();
  let [sum, weight, before] = [0, 0, points[0]?.step];
  for (const point of points) {
    const decay = Math.exp(-(point.step - before) / steps);
    sum = sum * decay + point.mean * point.count;
    weight = weight * decay + point.count;
    before = point.step;
    values.set(point, sum / weight);
  }
  return values;
}

// Where x lies between known places, that far between their values; the ends reach on.
function between(xs, ys, x) {
  if (!xs.length) return x;
  let [low, high] = [0, xs.length - 1];
  if (x >= xs[high]) {
    const slope = xs[high] > 0 ? ys[high] / xs[high] : 1; // as fast as so far
    return ys[high] + (x - xs[high]) * slope;
  }
  if (x <= xs[0]) return xs[0] > 0 ? (ys[0] * x) / xs[0] : ys[0];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle;
    else high = middle;
  }
  return ys[low] + ((x - xs[low]) / (xs[high] - xs[low])) * (ys[high] - ys[low]);
}

function nearestIndex(points, step) {
  let [low, high] = [0, points.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle].step < step) low = middle + 1;
    else high = middle;
  }
  return low > 0 && step - points[low - 1].step <= points[low].step - step ? low - 1 : low;
}

// Round numbers between two, at most about so many.
function ticks(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((size) => size * power).find((size) => size >= rough * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) found.push(i * step);
  return found;
}

// Powers of ten between two logarithms; where there are few, also twice and five times them.
function powers(low, high) {
  const sizes = high - low > 3.5 ? [1] : high - low > 1.2 ? [1, 3] : [1, 2, 3, 5, 7];
  const every = Math.max(1, Math.ceil((high - low) / 6));
  const found = [];
  for (let power = Math.floor(low); power <= high; power++)
    for (const size of sizes) if (power % every === 0 && Math.log10(size) + power >= low && Math.log10(size) + power <= high) found.push(size * 10 ** power);
  return found;
}

// The next of a few round numbers.
function roomy(end) {
  const power = 10 ** Math.floor(Math.log10(end));
  return [1, 1.5, 2, 3, 4, 5, 7.5, 10].map((size) => size * power).find((size) => size >= 1.02 * end) ?? 15 * power;
}

function count(number) {
  return Math.round(number).toLocaleString("en");
}

// As `Metric.show` in Python.
function show(value, digits) {
  if (value === null || !Number.isFinite(value)) return "–";
  const small = Math.abs(value) < 10 ** -digits && Number(value.toFixed(digits + 1)) !== 0;
  const shown = digits && small ? digits + 1 : digits;
  const rounded = Number(value.toFixed(shown)) + 0;
  return rounded.toLocaleString("en", { minimumFractionDigits: shown, maximumFractionDigits: shown }).replace("-", "−");
}

// A number on an axis.
function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  if (size < 1e-4) return value.toExponential(0).replace("-", "−");
  return Number(value.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 6 }).replace("-", "−");
}

function span(hours) {
  if (hours < 1 / 40) return `${Math.round(hours * 3600)} s of training`;
  if (hours < 1.5) return `${Math.round(hours * 60)} min of training`;
  return `${hours.toFixed(1)} h of training`;
}

// --- Colours --------------------------------------------------------------------------------------------------------

function parts(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

function blend(ramp, share) {
  const place = share * (ramp.length - 1);
  const index = Math.min(Math.floor(place), ramp.length - 2);
  const [from, to] = [parts(ramp[index]), parts(ramp[index + 1])];
  return `#${from.map((part, i) => Math.round(part + (to[i] - part) * (place - index)).toString(16).padStart(2, "0")).join("")}`;
}

// Black or white, whichever is read better on a colour.
function onColour(colour) {
  const [red, green, blue] = parts(colour).map((part) => (part / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 ? "#000" : "#fff";
}

function sign(letter, colour) {
  const made = element("span", "letter", letter);
  made.style.background = colour;
  made.style.color = onColour(colour);
  return made;
}
