// A film of training: the codes of the same sentences at every check, on a plane that stays where it is. All of it is
// here before it plays, so nothing of it asks Python. Two films may run on one clock.
//
// A place on the clock is a number: at whole ones every film shows a check that was measured, between them its points
// are drawn on their way. How it is played is in player.js, what moves and saves a picture in canvas.js.

const REACH = 14; // pixels around a point in which the pointer means it
const SIGMA = "1 σ of the prior";
const TURN = Array.from({ length: 20 }, (_, i) => [Math.cos((i * Math.PI) / 10), Math.sin((i * Math.PI) / 10)]);
const SVG = "http://www.w3.org/2000/svg";

export default (component) => mount(component, Film);

class Film extends Player {
  panels = [];
  followed = new Set(); // sentences: two films of the same ones show both

  constructor(root) {
    super(root);
    const find = (name) => root.querySelector(name);
    for (const name of ["clock", "now", "colour", "spread", "said", "graph"]) this[name] = find(`.${name}`);
    this.stretches = find(".phases");
    this.row = find(".panels");
    this.blank = find(".film > .panel");
    this.row.replaceChildren();
    this.clock.onchange = () => this.wind();
    this.graph.onclick = (event) => {
      const box = this.graph.getBoundingClientRect();
      this.go(Math.round(((event.clientX - box.left) / box.width) * this.last));
    };
    this.heed = ({ detail }) => this.go(this.nearest(detail.step));
    document.addEventListener("bottleneck:check", this.heed);
    this.colour.onchange = () => this.paintAll();
    this.spread.onclick = () => {
      press(this.spread);
      this.paintAll();
    };
  }

  close() {
    this.stop();
    document.removeEventListener("bottleneck:check", this.heed);
    for (const panel of this.panels) panel.close();
  }

  update({ data }) {
    const before = this.data;
    this.data = data;
    const same = before?.id === data.id;
    const grown = same && before.films.some(({ key }, index) => key !== data.films[index].key);
    if (!same) this.begin();
    this.panels.forEach((panel, index) => panel.update(data.films[index], data));
    if (!same || grown) this.wind(grown && before);
    else if (before.step !== data.step) this.go(this.nearest(data.step));
    else this.tell();
    this.panels.forEach((panel) => panel.resize());
  }

  // Another film, or other films.
  begin() {
    const { films, clocks } = this.data;
    this.stop();
    for (const panel of this.panels) panel.close();
    this.panels = films.map(() => {
      const section = this.blank.cloneNode(true);
      section.hidden = false;
      return new Panel(section, this);
    });
    this.row.replaceChildren(...this.panels.map((panel) => panel.root));
    this.row.classList.toggle("two", films.length > 1);
    this.clock.hidden = clocks.length < 2;
    this.clock.replaceChildren(...clocks.map(({ title }, index) => new Option(title, index)));
    const colours = films[0].colourings.map(({ title }) => title);
    const kept = colours.indexOf(this.colour.value);
    this.colour.replaceChildren(...colours.map((title) => new Option(title)));
    this.colour.selectedIndex = kept < 0 ? films[0].colouring : kept;
    this.followed.clear();
    this.high = 0;
    this.wound = null;
  }

  // The clock is new, or has become longer: stay where one was, or at the end, if one was there.
  wind(before) {
    const { clocks, films, step, live } = this.data;
    const was = this.wound && this.ticks[this.at()];
    const ended = this.wound && this.at() === this.last;
    this.wound = clocks[Math.max(0, this.clock.selectedIndex)];
    this.ticks = this.wound.ticks;
    this.last = this.ticks.length - 1;
    this.slider.max = String(this.last);
    this.drawRail();
    if (this.playing) return;
    if (before && ended) this.glide(this.last, GLIDE);
    else if (was) this.jump(this.nearest(films[0].steps[was.frames[0]]));
    else this.jump(step !== null ? this.nearest(step) : live ? this.last : 0);
  }

  // The tick at which the first film is nearest to a step.
  nearest(step) {
    if (step === null) return this.at();
    const { steps } = this.data.films[0];
    const away = this.ticks.map(({ frames }) => Math.abs(steps[frames[0]] - step));
    return away.indexOf(Math.min(...away));
  }

  // --- Showing ------------------------------------------------------------------------------------------------------

  show() {
    const tick = this.at();
    const on = this.place - tick;
    const next = this.ticks[Math.min(tick + 1, this.last)];
    this.panels.forEach((panel, index) => panel.set(this.ticks[tick].frames[index], next.frames[index], on));
    for (const line of this.graph.querySelectorAll(".at")) {
      line.setAttribute("x1", this.place);
      line.setAttribute("x2", this.place);
    }
    if (this.told !== this.ticks[tick] || this.moved !== on > 0) this.tell();
  }

  // What changes from check to check.
  tell() {
    const tick = this.at();
    const { films } = this.data;
    const { label, frames } = this.ticks[tick];
    this.told = this.ticks[tick];
    this.moved = this.place > tick;
    this.slider.value = String(tick);
    this.slider.setAttribute("aria-valuetext", label);
    this.now.textContent = this.moved ? `${label} → ${this.ticks[tick + 1].label.replace("step ", "")}` : label;
    this.now.classList.toggle("between", this.moved);
    const said = films.map(({ name, said }, index) => {
      const line = element("p");
      if (films.length > 1) line.append(element("b", "", `${name}: `));
      line.append(said[frames[index]]);
      return line;
    });
    this.said.setAttribute("aria-live", this.playing && Number(this.speed.value) ? "off" : "polite");
    this.said.replaceChildren(...said);
    this.high = Math.max(this.high, this.said.offsetHeight); // what is below does not move up and down
    this.said.style.minHeight = `${this.high}px`;
  }

  // The KL of each film over the checks, on its phases.
  drawRail() {
    const { films, metrics } = this.data;
    const kl = metrics.findIndex(({ name }) => name === "kl_nats");
    const width = Math.max(this.last, 1);
    this.graph.setAttribute("viewBox", `0 0 ${width} 1`);
    const most = Math.max(...films.flatMap(({ values }) => values.map((row) => row[kl] ?? 0)), 2);
    const lines = films.map(({ values, colour }, index) => {
      const heights = this.ticks.map(({ frames }) => values[frames[index]][kl]);
      const points = heights.map((value, tick) => (value === null ? "" : `${tick},${1 - value / most}`)).join(" ");
      return shape("polyline", { points, class: "line", stroke: colour });
    });
    const { bands } = this.wound;
    const high = 1 / films.length;
    const fields = bands.flatMap((own, index) =>
      own.map(({ from, to, phase }) => {
        const place = { x: from, y: index * high, width: to - from, height: high };
        return shape("rect", { ...place, class: phase % 2 ? "field" : "field even" });
      }),
    );
    this.graph.replaceChildren(...fields, ...lines, shape("line", { y1: 0, y2: 1, x1: 0, x2: 0, class: "at" }));
    this.stretches.replaceChildren(
      ...bands.map((own, index) => {
        const row = element("div");
        for (const { from, to, phase } of own) {
          const words = films[index].called[phase];
          const name = element("span", "", films.length > 1 ? `${films[index].name}: ${words}` : words);
          name.title = name.textContent;
          name.style.width = `${(100 * (to - from)) / width}%`;
          row.append(name);
        }
        return row;
      }),
    );
  }

  paintAll() {
    for (const panel of this.panels) {
      panel.explain();
      panel.draw();
    }
  }

  follow(text) {
    if (!this.followed.delete(text)) this.followed.add(text);
    for (const panel of this.panels) {
      panel.list();
      panel.draw();
    }
  }
}

// One film on its plane, with what was measured and written at the check that it shows.
class Panel extends Canvas {
  reach = [1 / 6, 200];
  muted = new Set();
  hovered = null; // a row
  from = 0;
  to = 0;
  on = 0;

  constructor(root, film) {
    super(root);
    this.film = film;
    const find = (name) => root.querySelector(name);
    this.title = find(".head .title");
    this.figures = find(".figures");
    this.ways = find(".ways");
    this.following = find(".followed");
    this.rebuilt = find(".rebuilt");
    this.random = find(".random");
  }

  update(film, { metrics, written }) {
    const before = this.read({ ...film, alt: `${film.name}: ${film.text.length} sentences on a plane. ${HELP}` });
    this.metrics = metrics;
    if (before?.key !== film.key) {
      this.numbers = decoded(film);
      this.x = new Float32Array(film.text.length);
      this.y = new Float32Array(film.text.length);
      this.rows = new Map(film.text.map((text, row) => [text, row]));
    }
    if (before?.view !== film.view) this.view = null;
    this.shown = null;
    this.tall ??= 0;
    this.explain();
    this.list();
  }

  fit() {
    const [left, right, bottom, top] = this.data.window;
    const room = 26;
    const scale = Math.min((this.width - 2 * room) / (right - left), (this.height - 2 * room) / (top - bottom));
    this.view = { x: (left + right) / 2, y: (bottom + top) / 2, scale, whole: scale };
  }

  redraw() {
    if (this.hovered !== null) this.describe();
    this.draw();
  }

  draw() {
    if (this.view) super.draw(); // else it has no size yet
  }

  set(from, to, on) {
    Object.assign(this, { from: Math.min(from, this.data.steps.length - 1), to: Math.min(to, this.data.steps.length - 1), on });
    this.locate();
    if (this.shown !== this.from) this.tell();
    if (this.hovered !== null) this.describe();
    this.draw();
  }

  // Where every mean is now.
  locate() {
    const { places } = this.numbers;
    const count = this.x.length;
    const [a, b] = [2 * this.from * count, 2 * this.to * count];
    for (let row = 0; row < count; row++) {
      const [i, j] = [a + 2 * row, b + 2 * row];
      this.x[row] = places[i] + (places[j] - places[i]) * this.on;
      this.y[row] = places[i + 1] + (places[j + 1] - places[i + 1]) * this.on;
    }
  }

  // --- Beside the picture -------------------------------------------------------------------------------------------

  tell() {
    const { data, from } = this;
    this.shown = from;
    const step = data.steps[from].toLocaleString("en");
    const parts = [element("b", "", data.name), ` after step ${step}`, element("span", "quiet", data.called[data.phases[from]])];
    this.title.replaceChildren(...parts);
    this.figures.replaceChildren(
      ...this.metrics.map(({ symbol, title, definition }, index) => {
        const [value, unit] = data.figures[from][index];
        const [row, name, text] = [element("div"), element("dt", "", symbol), element("dd", "", value)];
        name.title = `${title}. ${definition}`;
        text.append(element("span", "unit", unit));
        row.append(name, text);
        return row;
      }),
    );
    const ways = data.links[from];
    this.ways.replaceChildren(
      ...(ways ? [element("span", "", ways.lead), ...ways.to.map(({ title, href }) => link(title, href))] : []),
    );
    const written = data.written[data.pages[from]];
    this.rebuilt.replaceChildren(...(written?.pairs ?? []).map(pair));
    this.random.replaceChildren(...(written?.prior ?? []).map(counted));
    const box = this.rebuilt.parentElement.parentElement;
    box.hidden = !written;
    this.tall = Math.max(this.tall, box.offsetHeight);
    box.style.minHeight = `${this.tall}px`;
  }

  // The followed sentences, each to be let go.
  list() {
    const rows = [...this.film.followed].filter((text) => this.rows.has(text));
    const buttons = rows.map((text) => {
      const button = element("button", "", `${text || "(an empty sentence)"}`);
      button.type = "button";
      button.title = "Follow it no longer";
      button.dir = "auto";
      button.onclick = () => this.film.follow(text);
      return button;
    });
    const lead = element("span", "quiet", rows.length ? "Followed since the first check:" : "Click a point to follow its sentence.");
    this.following.replaceChildren(lead, ...buttons);
  }

  // Colours: groups with a legend that switches them, or the shades of a number.
  colouring() {
    const { colourings } = this.data;
    return colourings.find(({ title }) => title === this.film.colour.value) ?? colourings[this.data.colouring];
  }

  explain() {
    const colour = this.colouring();
    if (this.coloured !== colour.title) this.muted.clear();
    this.coloured = colour.title;
    this.shades = new Map(); // colour -> rows
    colour.rows.forEach((value, row) => {
      if (colour.groups && this.muted.has(value)) return;
      const shade = colour.groups ? colour.groups[value].colour : colour.shades[value];
      if (!this.shades.has(shade)) this.shades.set(shade, []);
      this.shades.get(shade).push(row);
    });
    const parts = [element("span", "name", colour.title)];
    if (colour.groups)
      colour.groups.forEach(({ name, count, colour: shade }, group) => {
        const button = element("button");
        button.type = "button";
        button.title = "Hide or show";
        button.setAttribute("aria-pressed", String(!this.muted.has(group)));
        const dot = element("span", "dot");
        dot.style.background = shade;
        button.append(dot, element("span", "", name), element("span", "count", count.toLocaleString("en")));
        button.onclick = () => {
          if (!this.muted.delete(group)) this.muted.add(group);
          this.explain();
          this.draw();
        };
        parts.push(button);
      });
    else {
      const ramp = element("span", "ramp");
      ramp.style.background = `linear-gradient(90deg, ${colour.shades.slice(0, -1).join(", ")})`;
      parts.push(element("span", "", colour.low), ramp, element("span", "", colour.high));
    }
    this.legend.replaceChildren(...parts);
  }

  // --- Drawing ------------------------------------------------------------------------------------------------------

  paint(pen) {
    pen.clearRect(0, 0, this.width, this.height);
    this.paintPrior(pen);
    if (pressed(this.film.spread)) this.paintSpreads(pen);
    const radius = this.radius();
    pen.globalAlpha = 0.85;
    for (const [shade, rows] of this.shades) this.dots(pen, rows, radius, shade);
    pen.globalAlpha = 1;
    this.paintPrior(pen, true);
    for (const text of this.film.followed) if (this.rows.has(text)) this.paintTrail(pen, this.rows.get(text));
    if (this.hovered !== null && pen === this.pen)
      this.ring(pen, ...this.toPixels(this.x[this.hovered], this.y[this.hovered]), radius + 4);
    this.paintWords(pen);
  }

  radius() {
    const closer = Math.log2(Math.max(1, this.view.scale / this.view.whole));
    return clamp(4.4 - 0.5 * Math.log10(Math.max(this.x.length, 10)), 2, 4.4) + 0.45 * Math.min(closer, 5);
  }

  dots(pen, rows, radius, shade) {
    pen.fillStyle = shade;
    pen.beginPath();
    for (const row of rows) {
      const [px, py] = this.toPixels(this.x[row], this.y[row]);
      if (px < -radius || py < -radius || px > this.width + radius || py > this.height + radius) continue;
      pen.moveTo(px + radius, py);
      pen.arc(px, py, radius, 0, 2 * Math.PI);
    }
    pen.fill();
  }

  // One standard deviation of each posterior as it is seen on the plane: an ellipse, by its sides and their correlation.
  paintSpreads(pen) {
    const { spreads } = this.numbers;
    const [a, b] = [this.from, this.to].map((frame) => 3 * frame * this.x.length);
    const at = (index, row) => {
      const one = spreads[a + 3 * row + index];
      return one + (spreads[b + 3 * row + index] - one) * this.on;
    };
    pen.lineWidth = 1;
    pen.globalAlpha = clamp(3 / Math.sqrt(this.x.length), 0.1, 0.4);
    for (const [shade, rows] of this.shades) {
      pen.strokeStyle = shade;
      pen.beginPath();
      for (const row of rows) {
        const [px, py] = this.toPixels(this.x[row], this.y[row]);
        const [wide, high, lean] = [at(0, row) * this.view.scale, at(1, row) * this.view.scale, at(2, row)];
        if (px + wide < 0 || py + high < 0 || px - wide > this.width || py - high > this.height) continue;
        const rest = Math.sqrt(Math.max(0, 1 - lean * lean));
        TURN.forEach(([cos, sin], corner) => {
          const [qx, qy] = [px + wide * cos, py - high * (lean * cos + rest * sin)];
          if (corner) pen.lineTo(qx, qy);
          else pen.moveTo(qx, qy);
        });
        pen.closePath();
      }
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  // The circles of the prior; or their names, which stand above the points.
  paintPrior(pen, named = false) {
    const { x, y, radius, name } = this.data.prior;
    const [px, py] = this.toPixels(x, y);
    pen.save();
    pen.font = `12px ${this.font}`;
    pen.textAlign = "center";
    for (const [size, words, dash] of [[1, SIGMA, [2, 3]], [radius, name, [5, 5]]]) {
      const r = size * this.view.scale;
      pen.globalAlpha = named ? 0.9 : 0.5;
      pen.lineWidth = named ? 3 : 1.2;
      pen.strokeStyle = named ? this.ground : this.ink;
      pen.fillStyle = this.ink;
      if (named && r > 30) {
        pen.strokeText(words, px, py - r - 5);
        pen.fillText(words, px, py - r - 5);
      }
      if (named) continue;
      pen.setLineDash(dash);
      pen.beginPath();
      pen.arc(px, py, r, 0, 2 * Math.PI);
      pen.stroke();
    }
    pen.restore();
  }

  // Where a sentence has been at the checks so far, and is now.
  paintTrail(pen, row) {
    const { places } = this.numbers;
    const trail = [];
    for (let frame = 0; frame <= this.from; frame++) {
      const index = 2 * (frame * this.x.length + row);
      trail.push(this.toPixels(places[index], places[index + 1]));
    }
    const now = this.toPixels(this.x[row], this.y[row]);
    pen.save();
    pen.lineJoin = "round";
    for (const [shade, width] of [[this.ground, 5], [this.ink, 1.6]]) {
      pen.strokeStyle = shade;
      pen.lineWidth = width;
      pen.beginPath();
      [...trail, now].forEach(([px, py], index) => (index ? pen.lineTo(px, py) : pen.moveTo(px, py)));
      pen.stroke();
    }
    pen.restore();
    for (const [px, py] of trail) this.disc(pen, px, py, 2.4, this.ink, this.ground, 0.8);
    this.disc(pen, ...now, 6.5, this.accent, this.ground, 2);
  }

  ring(pen, px, py, radius) {
    pen.beginPath();
    pen.arc(px, py, radius, 0, 2 * Math.PI);
    pen.strokeStyle = this.ink;
    pen.lineWidth = 2;
    pen.stroke();
  }

  // The axes, and what step this is: also in the picture that is saved.
  paintWords(pen) {
    const { axes, steps } = this.data;
    pen.save();
    pen.fillStyle = this.ink;
    pen.globalAlpha = 0.8;
    pen.font = `12px ${this.font}`;
    pen.textAlign = "right";
    pen.fillText(`${axes[0]} →`, this.width - 10, this.height - 9);
    pen.translate(16, 10);
    pen.rotate(-Math.PI / 2);
    pen.fillText(`${axes[1]} →`, 0, 0);
    pen.restore();
    pen.save();
    pen.fillStyle = this.ink;
    pen.textAlign = "right";
    pen.font = `600 14px ${this.font}`;
    pen.fillText(`step ${steps[this.from].toLocaleString("en")}`, this.width - 10, 20);
    if (this.on && this.to !== this.from) {
      pen.globalAlpha = 0.8;
      pen.font = `12px ${this.font}`;
      pen.fillText(`on the way to ${steps[this.to].toLocaleString("en")}: drawn, not measured`, this.width - 10, 37);
    }
    pen.restore();
  }

  save() {
    const { name } = this.data;
    this.data.name = `${name}-step-${this.data.steps[this.from]}`;
    super.save();
    this.data.name = name;
  }

  // --- What is where ------------------------------------------------------------------------------------------------

  at(px, py) {
    let [best, nearest] = [null, REACH * REACH];
    for (const rows of this.shades.values())
      for (const row of rows) {
        const [qx, qy] = this.toPixels(this.x[row], this.y[row]);
        const away = (px - qx) ** 2 + (py - qy) ** 2;
        if (away < nearest) [nearest, best] = [away, row];
      }
    return best;
  }

  describe(aloud = false) {
    const { data, hovered: row, from, on } = this;
    const step = `${on ? "From" : "After"} step ${data.steps[from].toLocaleString("en")}`;
    const kl = this.numbers.kl[from * this.x.length + row];
    const signed = (value) => value.toFixed(2).replace("-", "−");
    const labels = data.labels.filter(({ values, rows }) => values[rows[row]] !== "none");
    const { places } = this.numbers;
    const index = 2 * (from * this.x.length + row);
    const parts = [
      `KL ${kl < 0.095 ? kl.toFixed(2) : kl.toFixed(1)} nats`,
      `mean at (${signed(places[index])}, ${signed(places[index + 1])}) on the plane`,
      ...labels.map(({ name, values, rows }) => `${name}: ${values[rows[row]]}`),
    ];
    const text = data.text[row] || "(an empty sentence)";
    this.card.querySelector(".title").textContent = step;
    this.card.querySelector(".text").textContent = text;
    this.card.querySelector(".labels").textContent = parts.join(" · ");
    this.place(...this.toPixels(this.x[row], this.y[row]));
    if (aloud) this.live.textContent = `${text} ${parts[0]}, ${parts[1]}.`;
  }

  hide() {
    this.hovered = null;
    this.card.hidden = true;
  }

  hover(spot) {
    this.hovered = this.at(...spot);
    this.canvas.classList.toggle("choosing", this.hovered !== null);
    if (this.hovered === null) this.hide();
    else this.describe();
    this.draw();
  }

  click(spot) {
    this.hover(spot);
    if (this.hovered !== null) this.film.follow(this.data.text[this.hovered]);
  }

  // Left and right are the film's; up and down go from sentence to sentence.
  step(dx, dy) {
    if (dx) return this.film.step(dx);
    const rows = [...this.shades.values()].flat().sort((one, other) => one - other);
    if (!rows.length) return;
    const place = this.hovered === null ? (dy > 0 ? rows.length : -1) : rows.indexOf(this.hovered);
    this.hovered = rows[(place - dy + rows.length) % rows.length];
    this.describe(true);
    this.draw();
  }

  keys() {
    const { film } = this;
    return {
      ...super.keys(),
      " ": () => film.play.click(),
      l: () => film.loop.click(),
      Home: () => film.go(0),
      End: () => film.go(film.last),
      Enter: () => this.hovered !== null && film.follow(this.data.text[this.hovered]),
      Escape: () => [...film.followed].forEach((text) => film.follow(text)),
    };
  }
}

const HELP =
  "Left and right arrows go from check to check, up and down from sentence to sentence, Enter follows one, Escape " +
  "follows none, space plays.";

// Numbers as they travel: whole ones of 16 or 8 bits between a least and a most.
function decoded({ places, spreads, kl, low, high, widest, most }) {
  const [x, y] = [0, 1].map((axis) => (high[axis] - low[axis]) / 65535);
  return {
    places: Float32Array.from(words(places), (value, index) => (index % 2 ? low[1] + y * value : low[0] + x * value)),
    spreads: Float32Array.from(bytes(spreads), (value, index) =>
      index % 3 === 2 ? (value - 127) / 127 : (widest * value) / 255,
    ),
    kl: Float32Array.from(words(kl), (value) => (most * value) / 65535),
  };
}

function bytes(text) {
  return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
}

// Two bytes each, the lower one first.
function words(text) {
  const view = new DataView(bytes(text).buffer);
  return Array.from({ length: view.byteLength / 2 }, (_, index) => view.getUint16(2 * index, true));
}

function link(title, href) {
  const made = element("a", "", title);
  made.href = href;
  return made;
}

function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
