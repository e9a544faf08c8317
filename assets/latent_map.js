// The map of codes, in the browser. Drawing, hovering, moving and selecting need no answer from Python; Python hears
// of a point that was chosen (trigger `picked`: its row) and of sentences that were circled (state `selected`: the run and its rows).
// The view belongs to the reader: it stays as it is until `data.view` names another map.
// What moves and saves it is in canvas.js.

const REACH = 14; // pixels around a point in which the pointer means it
const MANY = 5000; // points from which on a moving view shows their picture until it rests
const REST = 120; // milliseconds without a move that are a rest
const MARGIN = 0.25; // share of the map that the picture of the points reaches beyond each edge

export default (component) => mount(component, Scene);

class Scene extends Canvas {
  reach = [1 / 4, 400];
  tool = "move";
  muted = new Set();
  hovered = null;

  update({ data: told, setStateValue, setTriggerValue }) {
    const data = this.unfolded(told);
    const before = this.read(data);
    this.select = (rows) => setStateValue("selected", { run: data.run, rows });
    this.root.querySelector("[data-do=clear]").hidden = !data.selected;
    this.pick = (row) => setTriggerValue("picked", this.clicked({ row }));
    this.root.querySelector(".tools").classList.toggle("watching", !data.pickable);
    this.canvas.style.setProperty("--map-height", data.height);
    this.chosen = data.selected ? new Set(data.selected) : null;
    this.found = data.found ? new Set(data.found) : null;
    if (before?.colour.title !== data.colour.title) this.muted.clear();
    if (before?.view !== data.view) {
      this.view = null;
      this.hide();
    }
    this.explain();
    this.resize();
  }

  // What Python says, with what it says of the map itself; that is long, and read only when it is another.
  unfolded({ sheet, ...scene }) {
    if (this.folded !== sheet) [this.folded, this.sheet] = [sheet, JSON.parse(sheet)];
    return { ...this.sheet, ...scene };
  }

  resize() {
    this.forget();
    super.resize();
  }

  fit() {
    const { points, placed, path, prior } = this.data;
    const xs = [...points.x, ...placed.map((mark) => mark.x), ...(path?.x ?? [])];
    const ys = [...points.y, ...placed.map((mark) => mark.y), ...(path?.y ?? [])];
    if (prior) {
      xs.push(prior.x - prior.radius, prior.x + prior.radius);
      ys.push(prior.y - prior.radius, prior.y + prior.radius);
    }
    const [left, right] = range(xs);
    const [bottom, top] = range(ys);
    const room = 28;
    const scale = Math.min(
      (this.width - 2 * room) / Math.max(right - left, 1e-9),
      (this.height - 2 * room) / Math.max(top - bottom, 1e-9),
    );
    this.view = { x: (left + right) / 2, y: (bottom + top) / 2, scale, whole: scale };
  }

  // After the view has changed: the card goes with its point.
  redraw() {
    if (this.hovered) this.show(this.hovered);
    else this.draw();
  }

  // --- Drawing ----------------------------------------------------------------------------------------------------

  shades() {
    const { colour, points } = this.data;
    const groups = new Map(); // colour -> rows, the emphasised apart
    const loud = new Map();
    const some = this.found ?? this.chosen;
    for (let row = 0; row < points.x.length; row++) {
      if (colour.groups && this.muted.has(colour.rows[row])) continue;
      const shade = colour.groups ? colour.groups[colour.rows[row]].colour : colour.shades[colour.rows[row]];
      const into = some?.has(row) ? loud : groups;
      if (!into.has(shade)) into.set(shade, []);
      into.get(shade).push(row);
    }
    return { groups, loud, quiet: some ? 0.18 : 0.8 };
  }

  radius() {
    const n = this.data.points.x.length;
    const closer = Math.log2(Math.max(1, this.view.scale / this.view.whole));
    return clamp(4.6 - 0.55 * Math.log10(Math.max(n, 10)), 1.4, 4.6) + 0.45 * Math.min(closer, 5);
  }

  paint(pen) {
    const { data, width, height } = this;
    pen.clearRect(0, 0, width, height);
    this.paintPrior(pen);
    if (pen === this.pen) this.showPoints();
    else this.paintPoints(pen, 0);
    if (data.axes) this.paintAxes(pen);
    if (data.path) this.paintPath(pen);
    for (const mark of data.placed) this.paintMark(pen, mark);
    for (const end of data.ends) this.badge(pen, end, this.ink, this.ground);
    if (data.path) this.paintPosition(pen);
    if (this.hovered && pen === this.pen) this.ring(pen, this.hovered.x, this.hovered.y, this.radius() + 4);
    this.paintDrag(pen);
  }

  // Points take long to draw where they are many. So their picture is kept, somewhat larger than the map: hovering
  // puts it up again, and while the view of many moves, it is moved and stretched, and drawn anew when that rests.
  showPoints() {
    const { view, width, height } = this;
    const kept = this.picture?.view;
    const same = kept && kept.x === view.x && kept.y === view.y && kept.scale === view.scale;
    if (!kept || (!same && this.data.points.x.length <= MANY)) this.drawPicture();
    else if (!same) {
      clearTimeout(this.rest);
      this.rest = setTimeout(() => {
        this.forget();
        this.draw();
      }, REST);
    }
    const stretch = view.scale / this.picture.view.scale;
    const [px, py] = this.toPixels(this.picture.view.x, this.picture.view.y);
    const [w, h] = [width * (1 + 2 * MARGIN) * stretch, height * (1 + 2 * MARGIN) * stretch];
    this.pen.drawImage(this.picture.canvas, px - w / 2, py - h / 2, w, h);
  }

  drawPicture() {
    const canvas = this.picture?.canvas ?? document.createElement("canvas");
    const [w, h] = [this.canvas.width * (1 + 2 * MARGIN), this.canvas.height * (1 + 2 * MARGIN)].map(Math.round);
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    const pen = canvas.getContext("2d");
    const ratio = this.canvas.width / this.width;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, w, h);
    pen.setTransform(ratio, 0, 0, ratio, ratio * MARGIN * this.width, ratio * MARGIN * this.height);
    this.paintPoints(pen, MARGIN);
    this.picture = { canvas, view: { ...this.view } };
  }

  // What is drawn has changed, not only where it is looked at from.
  forget() {
    clearTimeout(this.rest);
    if (this.picture) this.picture.view = null;
  }

  paintPoints(pen, margin) {
    const { groups, loud, quiet } = this.shades();
    const radius = this.radius();
    pen.globalAlpha = quiet;
    for (const [shade, rows] of groups) this.dots(pen, rows, radius, shade, margin);
    pen.globalAlpha = 0.95;
    for (const [shade, rows] of loud) this.dots(pen, rows, radius + 1.2, shade, margin);
    pen.globalAlpha = 1;
  }

  dots(pen, rows, radius, shade, margin) {
    const { x, y } = this.data.points;
    const [beyondX, beyondY] = [radius + margin * this.width, radius + margin * this.height];
    pen.fillStyle = shade;
    pen.beginPath();
    for (const row of rows) {
      const [px, py] = this.toPixels(x[row], y[row]);
      if (px < -beyondX || py < -beyondY || px > this.width + beyondX || py > this.height + beyondY) continue;
      pen.moveTo(px + radius, py);
      pen.arc(px, py, radius, 0, 2 * Math.PI);
    }
    pen.fill();
  }

  paintPrior(pen) {
    const { prior } = this.data;
    if (!prior) return;
    const [px, py] = this.toPixels(prior.x, prior.y);
    const radius = prior.radius * this.view.scale;
    pen.save();
    pen.strokeStyle = this.ink;
    pen.fillStyle = this.ink;
    pen.globalAlpha = 0.45;
    pen.lineWidth = 1.2;
    pen.setLineDash([5, 5]);
    pen.beginPath();
    pen.arc(px, py, radius, 0, 2 * Math.PI);
    pen.stroke();
    pen.globalAlpha = 0.75;
    pen.font = `12px ${this.font}`;
    pen.textAlign = "center";
    pen.fillText(prior.name, px, py - radius - 6);
    pen.restore();
  }

  paintAxes(pen) {
    pen.save();
    pen.fillStyle = this.ink;
    pen.globalAlpha = 0.75;
    pen.font = `12px ${this.font}`;
    pen.textAlign = "right";
    pen.fillText(`${this.data.axes[0]} →`, this.width - 10, this.height - 9);
    pen.translate(16, 10);
    pen.rotate(-Math.PI / 2);
    pen.fillText(`${this.data.axes[1]} →`, 0, 0);
    pen.restore();
  }

  paintMark(pen, mark) {
    const [px, py] = this.toPixels(mark.x, mark.y);
    pen.beginPath();
    for (const [dx, dy] of OUTLINES[mark.kind]) pen.lineTo(px + 8 * dx, py + 8 * dy);
    pen.closePath();
    pen.fillStyle = mark.kind === "own" ? this.accent : this.ground;
    pen.strokeStyle = mark.kind === "own" ? this.ground : this.ink;
    pen.lineWidth = 2;
    pen.fill();
    pen.stroke();
  }

  ring(pen, x, y, radius) {
    const [px, py] = this.toPixels(x, y);
    pen.beginPath();
    pen.arc(px, py, radius, 0, 2 * Math.PI);
    pen.strokeStyle = this.ink;
    pen.lineWidth = 2;
    pen.stroke();
  }

  paintDrag(pen) {
    if (!this.line) return;
    pen.save();
    pen.setLineDash([4, 3]);
    pen.strokeStyle = this.accent;
    pen.fillStyle = this.accent;
    pen.lineWidth = 1.5;
    pen.beginPath();
    for (const [px, py] of this.outline()) pen.lineTo(px, py);
    pen.closePath();
    pen.stroke();
    pen.globalAlpha = 0.1;
    pen.fill();
    pen.restore();
  }

  // --- What is where ----------------------------------------------------------------------------------------------

  // Whatever the pointer means: a step of the path, a placed mark, or a sentence of the corpus.
  at(px, py) {
    const { points, path, placed, ends, colour } = this.data;
    let best = null;
    let nearest = REACH * REACH;
    const consider = (x, y, what, favour = 1) => {
      const [qx, qy] = this.toPixels(x, y);
      const distance = ((px - qx) ** 2 + (py - qy) ** 2) / favour;
      if (distance < nearest) [nearest, best] = [distance, { x, y, ...what }];
    };
    for (let row = 0; row < points.x.length; row++)
      if (!(colour.groups && this.muted.has(colour.rows[row]))) consider(points.x[row], points.y[row], { row });
    placed.forEach((mark) => consider(mark.x, mark.y, { mark }, 4));
    ends.forEach((end) => end.row === null && consider(end.x, end.y, { mark: end }, 2));
    path?.x.forEach((x, step) => consider(x, path.y[step], { step }, 4));
    return best;
  }

  describe({ row, mark, step }) {
    const { points, path } = this.data;
    if (mark) return [mark.title, mark.text, ""];
    if (step !== undefined) return [`t = ${path.t[step].toFixed(2).replace("-", "−")}`, path.texts[step], ""];
    const labels = points.labels.filter(({ values, rows }) => values[rows[row]] !== "none");
    const parts = labels.map(({ name, values, rows }) => `${name}: ${values[rows[row]]}`);
    parts.push(`${points.words[row]} words`, `KL ${points.kl[row].toFixed(1)} nats`);
    const name = this.data.ends.find((end) => end.row === row)?.name;
    return [name ? `End ${name}` : "", points.text[row], parts.join(" · ")];
  }

  show(what, aloud = false) {
    this.hovered = what;
    const [title, text, labels] = this.describe(what);
    this.card.querySelector(".title").textContent = title;
    this.card.querySelector(".text").textContent = text || "(an empty sentence)";
    this.card.querySelector(".labels").textContent = labels;
    this.place(...this.toPixels(what.x, what.y));
    if (aloud) this.live.textContent = `${title} ${text}. ${labels}`;
    this.draw();
  }

  hide() {
    this.hovered = null;
    this.card.hidden = true;
  }

  choose(what) {
    if (what.row !== undefined && this.data.pickable) this.pick(what.row);
    if (what.step !== undefined)
      document.dispatchEvent(new CustomEvent(STEP, { detail: { id: this.data.path.id, step: what.step, jump: true } }));
  }

  // --- Pointer and keys -------------------------------------------------------------------------------------------

  listen() {
    super.listen();
    for (const button of this.root.querySelectorAll("[data-tool]")) button.onclick = () => this.take(button.dataset.tool);
  }

  actions() {
    return { ...super.actions(), clear: () => this.select([]) };
  }

  keys() {
    const choose = () => this.hovered && this.choose(this.hovered);
    return { ...super.keys(), Escape: () => this.data.selected && this.select([]), Enter: choose, " ": choose };
  }

  take(tool) {
    this.tool = tool;
    for (const button of this.root.querySelectorAll("[data-tool]"))
      button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    this.canvas.classList.toggle("drawing", tool !== "move");
  }

  hover(spot) {
    const what = this.at(...spot);
    this.canvas.classList.toggle("choosing", Boolean(what) && this.tool === "move");
    if (what) this.show(what);
    else if (this.hovered) {
      this.hide();
      this.draw();
    }
  }

  click(spot) {
    const what = this.at(...spot);
    if (!what) return;
    this.show(what);
    this.choose(what);
  }

  down(event) {
    if (event.button) return;
    super.down(event);
    this.line = null;
    this.shape = this.tool !== "move" ? this.tool : event.shiftKey ? "box" : null;
    if (this.pointers.size > 1) this.shape = null;
  }

  drag(spot, before) {
    if (!this.shape) return super.drag(spot, before);
    this.line ??= [this.began];
    this.line.push(spot);
    this.draw();
  }

  up(event, cancelled = false) {
    const drawn = this.line && !cancelled && this.pointers.has(event.pointerId);
    const rows = drawn ? this.inside(this.outline()) : null;
    this.line = null;
    super.up(event, cancelled);
    if (!rows) return;
    this.select(rows);
    this.draw();
  }

  // To the nearest point in a direction; the first key press finds the point nearest to the middle.
  step(dx, dy) {
    const { x, y } = this.data.points;
    const from = this.hovered ?? { x: this.view.x, y: this.view.y };
    let best = null;
    let nearest = Infinity;
    for (let row = 0; row < x.length; row++) {
      const [ahead, aside] = [(x[row] - from.x) * dx + (y[row] - from.y) * dy, (x[row] - from.x) * dy - (y[row] - from.y) * dx];
      const distance = Math.hypot(ahead, aside) + Math.abs(aside);
      if (this.hovered && (ahead <= 0 || Math.abs(aside) > ahead)) continue;
      if (distance < nearest) [nearest, best] = [distance, row];
    }
    if (best === null) return;
    const [px, py] = this.toPixels(x[best], y[best]);
    if (px < 0 || py < 0 || px > this.width || py > this.height) Object.assign(this.view, { x: x[best], y: y[best] });
    this.show({ x: x[best], y: y[best], row: best }, true);
  }

  outline() {
    if (this.shape === "lasso") return this.line;
    const [[left, top], [right, bottom]] = [this.line[0], this.line.at(-1)];
    return [[left, top], [right, top], [right, bottom], [left, bottom]];
  }

  inside(polygon) {
    const { points, colour } = this.data;
    const rows = [];
    for (let row = 0; row < points.x.length; row++) {
      if (colour.groups && this.muted.has(colour.rows[row])) continue;
      const [px, py] = this.toPixels(points.x[row], points.y[row]);
      let within = false;
      for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
        const [[ax, ay], [bx, by]] = [polygon[i], polygon[j]];
        if (ay > py !== by > py && px < ((bx - ax) * (py - ay)) / (by - ay) + ax) within = !within;
      }
      if (within) rows.push(row);
    }
    return rows;
  }

  // --- Legend -----------------------------------------------------------------------------------------------------

  explain() {
    const { colour, placed, prior } = this.data;
    const parts = [element("span", "name", colour.title)];
    if (colour.groups) {
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
          this.forget();
          this.explain();
          this.draw();
        };
        parts.push(button);
      });
    } else {
      const ramp = element("span", "ramp");
      ramp.style.background = `linear-gradient(90deg, ${colour.shades.slice(0, -1).join(", ")})`;
      parts.push(element("span", "", colour.low), ramp, element("span", "", colour.high));
    }
    for (const kind of new Set(placed.map((mark) => mark.kind))) {
      const sign = element("span", "sign");
      const outline = OUTLINES[kind].map(([x, y]) => `${9 + 7 * x},${9 + 7 * y}`).join(" ");
      const fill = kind === "own" ? this.accent : this.ground;
      const svg = icon(18, "polygon", { points: outline, fill, stroke: this.ink, "stroke-width": 1.5 });
      sign.append(svg, element("span", "", kind === "own" ? "your sentence" : "prior samples"));
      parts.push(sign);
    }
    this.legend.replaceChildren(...parts);
  }
}

const OUTLINES = {
  prior: [[0, -1], [0.85, 0], [0, 1], [-0.85, 0]],
  own: Array.from({ length: 10 }, (_, i) => {
    const [angle, size] = [(i * Math.PI) / 5, i % 2 ? 0.5 : 1.15];
    return [size * Math.sin(angle), -size * Math.cos(angle)];
  }),
};
