// A plane of latent space, decoded cell by cell. Reading it asks nobody: every sentence is here. Python hears of a place
// that was pinned (trigger `pinned`: x, y), of a part to be decoded anew (trigger `framed`: its middle and width, or
// none for the whole), of pins taken off (trigger `cleared`), of a scene that is not here (`lost`) and of what is shown
// (state `shown`).
// What moves and saves it is in canvas.js.

const REACH = 7; // pixels around a sentence's code in which the pointer means it
const LINE = 14; // pixels from one line of a label to the next
const FEWEST = 4; // words of a label that is cut short
const MARGIN = 22; // pixels for the name of an axis, where it is saved
const LAYERS = [
  ["labels", "Labels", "M4 6h16M12 6v13", "The sentence of a region, where there is room"],
  ["sentences", "Sentences", "M7 12a5 5 0 1 0 10 0a5 5 0 1 0-10 0", "Codes of real sentences; the fainter, the farther from this plane"],
  ["prior", "Prior", "M3 12a9 9 0 0 1 6-8.5M13 3.1a9 9 0 0 1 7.5 6M20.8 14a9 9 0 0 1-5 6M11 20.9a9 9 0 0 1-7-4.5", "Where 95 % of random codes fall"],
  ["aggregate", "Sentences' posteriors", "M12 4c5 0 9 3 8 8s-5 9-9 8-8-5-7-9 4-7 8-7z", "Where 95 % of the aggregate posterior lies: what the decoder was trained on"],
  ["holes", "Holes", "M4 20 20 4M4 12l8-8M12 20l8-8", "Hatched: prior without posteriors. Dotted: posteriors without prior"],
];

export default (component) => mount(component, PlaneView);

class PlaneView extends Canvas {
  reach = [1 / 8, 60];
  widths = new Map();
  finer = this.root.querySelector("[data-do=finer]");

  // Python sends what does not change with a click only until it is told that it is here (`held`).
  update({ data, setStateValue, setTriggerValue }) {
    this.tell = setTriggerValue;
    if (data.cells) this.scene = data;
    else if (this.scene?.id !== data.id) return this.tell("lost", true);
    const before = this.read({ ...this.scene, ...data });
    this.remember = (shown) => setStateValue("shown", shown);
    this.pending = null;
    this.shown ??= new Set(this.data.shown);
    this.root.querySelector("[data-do=clear]").hidden = !this.data.pins.length;
    this.axes = this.data.axes.map((name) => `${name} →`);
    [".across", ".up"].forEach((side, axis) => (this.root.querySelector(side).textContent = this.axes[axis]));
    if (before?.id !== this.data.id) {
      this.view = null;
      this.cursor = null;
      this.hide();
      this.prepare();
    }
    this.waiting(false);
    this.explain();
    this.resize();
  }

  // What is drawn again and again: the coloured cells, the lines between regions, contours, room for labels.
  prepare() {
    const { window, cells, regions, tints, aggregate, holes } = this.data;
    const { n } = window;
    this.picture = document.createElement("canvas");
    this.picture.width = this.picture.height = n;
    const brush = this.picture.getContext("2d");
    this.borders = [];
    this.holes = { 1: [], [-1]: [] };
    for (let row = 0; row < n; row++)
      for (let column = 0; column < n; column++) {
        const cell = row * n + column;
        brush.fillStyle = tints[regions[cells[cell]].tint];
        brush.fillRect(column, n - 1 - row, 1, 1);
        if (column + 1 < n && cells[cell] !== cells[cell + 1]) this.borders.push([column + 1, row, column + 1, row + 1]);
        if (row + 1 < n && cells[cell] !== cells[cell + n]) this.borders.push([column, row + 1, column + 1, row + 1]);
        if (holes?.[cell]) this.holes[holes[cell]].push([column, row]);
      }
    this.contour = aggregate ? contour(aggregate, n) : [];
    this.rooms = regions.map((region) => rooms(region, cells, n));
  }

  resize() {
    super.resize();
    if (this.view) this.redraw();
  }

  fit() {
    const { x, y, cell, n } = this.data.window;
    const scale = this.width / (n * cell);
    this.view = { x, y, scale, whole: scale };
  }

  // From cells, counted from the lower left corner of the window, to pixels.
  cellToPixels(column, row) {
    const { x, y, cell, n } = this.data.window;
    return this.toPixels(x + (column - n / 2) * cell, y + (row - n / 2) * cell);
  }

  toPlace(px, py) {
    const { view, width, height } = this;
    return [view.x + (px - width / 2) / view.scale, view.y - (py - height / 2) / view.scale];
  }

  get moved() {
    const { view, data } = this;
    const { x, y } = data.window;
    return Math.abs(view.scale / view.whole - 1) > 0.01 || Math.hypot(view.x - x, view.y - y) * view.scale > 3;
  }

  redraw() {
    this.finer.disabled = this.busy || !this.moved;
    this.finer.querySelector("span").textContent = this.busy
      ? "Decoding …"
      : this.moved && this.view.scale <= 1.01 * this.view.whole
        ? "Decode this view"
        : "Finer here";
    this.draw();
  }

  waiting(busy) {
    this.busy = busy;
    this.canvas.setAttribute("aria-busy", String(busy));
  }

  // --- Drawing ----------------------------------------------------------------------------------------------------

  paint(pen) {
    const { data, shown } = this;
    pen.clearRect(0, 0, this.width, this.height);
    this.paintCells(pen);
    if (shown.has("holes")) this.paintHoles(pen);
    if (shown.has("prior")) this.paintPrior(pen);
    if (shown.has("aggregate")) this.paintContour(pen);
    if (shown.has("sentences")) this.paintPoints(pen);
    if (shown.has("labels")) this.paintLabels(pen);
    if (data.path) this.paintPath(pen);
    if (data.path) this.paintPosition(pen);
    for (const mark of data.marks) this.badge(pen, mark, this.ground, this.ink);
    for (const pin of data.pins) this.badge(pen, pin, this.ink, this.ground);
    if (pen === this.pen) this.paintCursor(pen);
  }

  paintCells(pen) {
    const { n } = this.data.window;
    const [left, top] = this.cellToPixels(0, n);
    const [right, bottom] = this.cellToPixels(n, 0);
    pen.imageSmoothingEnabled = false;
    pen.globalAlpha = 0.26;
    pen.drawImage(this.picture, left, top, right - left, bottom - top);
    if (this.cursor && pen === this.pen) {
      const region = this.data.cells[this.cursor.row * n + this.cursor.column];
      pen.fillStyle = this.ink;
      pen.globalAlpha = 0.1;
      pen.beginPath();
      this.data.cells.forEach((other, cell) => other === region && this.square(pen, cell % n, Math.floor(cell / n)));
      pen.fill();
    }
    pen.globalAlpha = 0.45;
    pen.strokeStyle = this.ink;
    pen.lineWidth = 1;
    this.segments(pen, this.borders);
    pen.globalAlpha = 1;
  }

  square(pen, column, row) {
    const [left, bottom] = this.cellToPixels(column, row);
    const side = this.data.window.cell * this.view.scale;
    pen.rect(left, bottom - side, side, side);
  }

  segments(pen, lines) {
    pen.beginPath();
    for (const [a, b, c, d] of lines) {
      pen.moveTo(...this.cellToPixels(a, b));
      pen.lineTo(...this.cellToPixels(c, d));
    }
    pen.stroke();
  }

  paintHoles(pen) {
    for (const [kind, cells] of Object.entries(this.holes)) {
      if (!cells.length) continue;
      pen.save();
      pen.beginPath();
      for (const [column, row] of cells) this.square(pen, column, row);
      pen.clip();
      pen.strokeStyle = this.ink;
      pen.globalAlpha = 0.3;
      pen.lineWidth = kind === "1" ? 1 : 2;
      if (kind !== "1") pen.setLineDash([2, 6]);
      pen.beginPath();
      for (let offset = -this.height; offset < this.width; offset += 8) {
        pen.moveTo(offset, this.height);
        pen.lineTo(offset + this.height, 0);
      }
      pen.stroke();
      pen.restore();
    }
  }

  paintPrior(pen) {
    const { x, y, radius } = this.data.prior;
    const [px, py] = this.toPixels(x, y);
    pen.save();
    pen.strokeStyle = this.ink;
    pen.globalAlpha = 0.8;
    pen.lineWidth = 1.6;
    pen.setLineDash([6, 5]);
    pen.beginPath();
    pen.arc(px, py, radius * this.view.scale, 0, 2 * Math.PI);
    pen.stroke();
    pen.restore();
  }

  paintContour(pen) {
    pen.lineCap = "round";
    for (const [shade, width] of [[this.ground, 5], [this.accent, 2.4]]) {
      pen.strokeStyle = shade;
      pen.lineWidth = width;
      this.segments(pen, this.contour);
    }
    pen.lineCap = "butt";
  }

  paintPoints(pen) {
    const { x, y, away } = this.data.points;
    const [low, high] = this.data.away;
    pen.fillStyle = this.ink;
    for (let row = 0; row < x.length; row++) {
      const [px, py] = this.toPixels(x[row], y[row]);
      if (px < -3 || py < -3 || px > this.width + 3 || py > this.height + 3) continue;
      pen.globalAlpha = 0.75 - 0.63 * ((away[row] - low) / Math.max(high - low, 1e-9));
      pen.beginPath();
      pen.arc(px, py, 2.4, 0, 2 * Math.PI);
      pen.fill();
    }
    pen.globalAlpha = 1;
  }

  paintLabels(pen) {
    const side = this.data.window.cell * this.view.scale;
    pen.save();
    pen.font = `12px ${this.font}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    this.data.regions.forEach((region, index) => {
      const label = this.label(pen, this.data.texts[region.text], this.rooms[index], side);
      if (!label) return;
      const [px, py] = this.cellToPixels((label.left + label.right + 1) / 2, region.row + 0.5);
      label.lines.forEach((line, number) => {
        const y = py + (number - (label.lines.length - 1) / 2) * LINE;
        pen.strokeStyle = this.ground;
        pen.globalAlpha = 0.75;
        pen.lineWidth = 3;
        pen.strokeText(line, px, y);
        pen.fillStyle = this.ink;
        pen.globalAlpha = 1;
        pen.fillText(line, px, y);
      });
    });
    pen.restore();
  }

  // The first room that takes the whole sentence; else as much of it as the largest one holds, if that says something.
  label(pen, text, rooms, side) {
    const words = text.split(" ").map((word) => [word, this.wide(pen, word)]);
    let best = null;
    for (const { left, right, height } of rooms) {
      const lines = wrap(words, (right - left + 1) * side - 10, Math.floor((height * side - 4) / LINE), this.wide(pen, " "));
      const said = lines.reduce((count, line) => count + line.length, 0);
      if (said > (best?.said ?? 0)) best = { left, right, said, lines };
      if (said === words.length) break;
    }
    if (!best || (best.said < words.length && best.said < FEWEST)) return null;
    const lines = best.lines.map((line) => line.join(" "));
    if (best.said < words.length) lines.push(`${lines.pop()} …`);
    return { ...best, lines };
  }

  wide(pen, word) {
    if (!this.widths.has(word)) this.widths.set(word, pen.measureText(word).width);
    return this.widths.get(word);
  }

  // The picture that is saved, with the names of the axes beside it.
  save() {
    const inner = new Picture(this.width, this.height, this.ground, this.font);
    this.paint(inner);
    const outer = new Picture(this.width + MARGIN, this.height + MARGIN, this.ground, this.font);
    outer.parts.push(inner.text().replace("<svg", `<svg x="${MARGIN}"`));
    outer.fillStyle = this.ink;
    outer.font = `12px ${this.font}`;
    outer.textAlign = "right";
    outer.fillText(this.axes[0], this.width + MARGIN, this.height + MARGIN - 7);
    outer.translate(MARGIN - 7, 0);
    outer.rotate(-Math.PI / 2);
    outer.fillText(this.axes[1], 0, 0);
    download(outer.blob(), `${this.data.name}.svg`);
  }

  paintCursor(pen) {
    for (const at of [this.cursor, this.pending]) {
      if (!at) continue;
      pen.strokeStyle = at === this.pending ? this.accent : this.ink;
      pen.lineWidth = 2;
      pen.beginPath();
      this.square(pen, at.column, at.row);
      pen.stroke();
    }
  }

  // --- Reading ----------------------------------------------------------------------------------------------------

  // The cell at a pixel; none outside the window that was decoded.
  cellAt(px, py) {
    const { x, y, cell, n } = this.data.window;
    const [atX, atY] = this.toPlace(px, py);
    const column = Math.floor((atX - x) / cell + n / 2);
    const row = Math.floor((atY - y) / cell + n / 2);
    return column >= 0 && row >= 0 && column < n && row < n ? { column, row } : null;
  }

  // The middle of a cell: a whole number of thousandths.
  middle({ column, row }) {
    const { x, y, cell, n } = this.data.window;
    return [x + (column + 0.5 - n / 2) * cell, y + (row + 0.5 - n / 2) * cell].map((at) => Math.round(at * 1000) / 1000);
  }

  // A sentence whose code is drawn under the pointer.
  pointAt(px, py) {
    if (!this.shown.has("sentences")) return null;
    const { x, y } = this.data.points;
    let [best, nearest] = [null, REACH ** 2];
    for (let row = 0; row < x.length; row++) {
      const [qx, qy] = this.toPixels(x[row], y[row]);
      const distance = (px - qx) ** 2 + (py - qy) ** 2;
      if (distance < nearest) [best, nearest] = [row, distance];
    }
    return best;
  }

  show(cell, px, py, aloud = false) {
    const { data } = this;
    this.cursor = cell;
    const index = cell.row * data.window.n + cell.column;
    const said = data.texts[data.regions[data.cells[index]].text] || "(an empty sentence)";
    const typical = data.typical[data.typicals[index]];
    const [lead, quote] = data.nearest ? [`Nearest sentence, ${data.apart[index].toFixed(1)} away: `, data.texts[data.nearest[index]]] : ["", ""];
    const point = this.pointAt(px, py);
    const [x, y] = this.middle(cell).map((at) => at.toFixed(2).replace("-", "−"));
    this.write(".text", said);
    this.write(".typical", typical);
    this.write(".near", lead, quote);
    if (point === null) this.write(".here", "");
    else this.write(".here", `Code drawn here, ${data.points.away[point].toFixed(1)} off the plane: `, data.texts[data.points.text[point]]);
    this.write(".where", `(${x}, ${y})`);
    this.place(px, py, 0.5);
    if (aloud) this.live.textContent = `${said} ${typical} ${lead}${quote}`;
    this.draw();
  }

  write(part, words, quote) {
    const line = this.card.querySelector(part);
    line.hidden = !words;
    const [lead, quoted] = line.querySelectorAll("span");
    (lead ?? line).textContent = words;
    if (quoted) quoted.textContent = quote ?? "";
  }

  hide() {
    this.cursor = null;
    this.card.hidden = true;
  }

  pin(cell) {
    this.pending = cell;
    const [x, y] = this.middle(cell);
    this.tell("pinned", { ...this.clicked({ x, y }), held: this.data.id });
    this.draw();
  }

  decode() {
    if (this.busy || !this.moved) return;
    this.waiting(true);
    this.tell("framed", { x: this.view.x, y: this.view.y, width: this.width / this.view.scale });
    this.redraw();
  }

  whole() {
    this.fit();
    if (!this.data.whole) {
      this.waiting(true);
      this.tell("framed", { whole: true });
    }
    this.redraw();
  }

  // --- Pointer and keys -------------------------------------------------------------------------------------------

  listen() {
    super.listen();
    this.canvas.onblur = () => {
      this.hide();
      this.draw();
    };
  }

  actions() {
    return { ...super.actions(), finer: () => this.decode(), clear: () => this.tell("cleared", true) };
  }

  keys() {
    const { finer, clear } = this.actions();
    const pin = () => this.cursor && this.pin(this.cursor);
    return { ...super.keys(), f: finer, Escape: () => this.data.pins.length && clear(), Enter: pin, " ": pin };
  }

  hover(spot) {
    const cell = this.cellAt(...spot);
    if (cell) this.show(cell, ...spot);
    else if (this.cursor) {
      this.hide();
      this.draw();
    }
  }

  click(spot) {
    const cell = this.cellAt(...spot);
    if (!cell) return;
    this.show(cell, ...spot);
    this.pin(cell);
  }

  // To the next cell; the first key press finds the one in the middle of the view.
  step(dx, dy) {
    const { n } = this.data.window;
    const start = this.cursor ?? this.cellAt(this.width / 2, this.height / 2) ?? { column: n >> 1, row: n >> 1 };
    const [across, up] = this.cursor ? [dx, dy] : [0, 0];
    const cell = { column: clamp(start.column + across, 0, n - 1), row: clamp(start.row + up, 0, n - 1) };
    let [px, py] = this.cellToPixels(cell.column + 0.5, cell.row + 0.5);
    if (px < 0 || py < 0 || px > this.width || py > this.height) {
      [this.view.x, this.view.y] = this.middle(cell);
      [px, py] = [this.width / 2, this.height / 2];
      this.redraw();
    }
    this.show(cell, px, py, true);
  }

  // --- Legend -----------------------------------------------------------------------------------------------------

  explain() {
    const has = { sentences: this.data.points.x.length, aggregate: this.data.aggregate, holes: this.data.aggregate };
    const buttons = LAYERS.filter(([name]) => !(name in has) || has[name]).map(([name, title, path, meaning]) => {
      const button = element("button");
      button.type = "button";
      button.dataset.layer = name;
      button.title = meaning;
      button.setAttribute("aria-pressed", String(this.shown.has(name)));
      const svg = icon(24, "path", { d: path, ...(name === "sentences" && { fill: "currentColor" }) });
      if (name === "aggregate") svg.style.color = this.accent;
      button.append(svg, title);
      button.onclick = () => this.toggle(name, button);
      return button;
    });
    const held = this.root.querySelector(":focus")?.dataset.layer;
    this.legend.replaceChildren(...buttons);
    buttons.find((button) => button.dataset.layer === held)?.focus();
  }

  toggle(name, button) {
    if (!this.shown.delete(name)) this.shown.add(name);
    button.setAttribute("aria-pressed", String(this.shown.has(name)));
    this.remember([...this.shown]);
    this.draw();
  }
}

// Where values at the middles of n x n cells cross 0: marching squares, in units of cells.
function contour(values, n) {
  const lines = [];
  for (let row = 0; row + 1 < n; row++)
    for (let column = 0; column + 1 < n; column++) {
      const corners = [[0, 0], [1, 0], [1, 1], [0, 1]].map(([dx, dy]) => [column + dx, row + dy, values[(row + dy) * n + column + dx]]);
      const crossings = corners.flatMap(([ax, ay, a], index) => {
        const [bx, by, b] = corners[(index + 1) % 4];
        if (a > 0 === b > 0) return [];
        const share = a / (a - b);
        return [[ax + share * (bx - ax) + 0.5, ay + share * (by - ay) + 0.5]];
      });
      for (let pair = 0; pair + 1 < crossings.length; pair += 2) lines.push([...crossings[pair], ...crossings[pair + 1]]);
    }
  return lines;
}

// The rectangles of cells around the middle of a region that lie inside it, one for each height.
function rooms({ row, column }, cells, n) {
  const own = cells[row * n + column];
  const found = [];
  for (let half = 0; row - half >= 0 && row + half < n; half++) {
    const free = (at) => {
      for (let other = row - half; other <= row + half; other++) if (cells[other * n + at] !== own) return false;
      return true;
    };
    if (!free(column)) break;
    let [left, right] = [column, column];
    while (left > 0 && free(left - 1)) left--;
    while (right + 1 < n && free(right + 1)) right++;
    found.push({ left, right, height: 2 * half + 1 });
  }
  return found;
}

// As many words as go into so many lines.
function wrap(words, width, most, space) {
  const lines = [];
  let used = Infinity;
  for (const [word, wide] of words) {
    if (wide > width) return lines;
    if (used + space + wide > width) {
      if (lines.length === most) return lines;
      lines.push([]);
      used = -space;
    }
    lines.at(-1).push(word);
    used += space + wide;
  }
  return lines;
}
