// A path, read in the browser: the whole of it has been decoded, so moving along asks nobody. Python hears where the
// reader stopped (state `position`: the path and the step).
//
// Where a strip is, everybody learns through the event `bottleneck:step` on the document, whose detail is the `id` of
// the path, its `step` and t. A map follows the path of an id, and sends its strip along with `jump`. Strips of one
// `group` follow each other's t, and each other's playing.

const STEP = "bottleneck:step";
const PACE = 650; // milliseconds a step when it plays
const UNHURRIED = 2400; // milliseconds a sentence for who has asked for less motion: no knob runs then
const LONG = 170; // characters from which a sentence is set smaller
const KNOB = 0.675; // rem: half the knob, whose middle runs from there to as much before the end
const SVG = "http://www.w3.org/2000/svg";
const strips = new WeakMap();

export default function (component) {
  const root = component.parentElement;
  if (!strips.has(root)) strips.set(root, new Strip(root));
  strips.get(root).update(component);
  return () => {
    strips.get(root)?.close();
    strips.delete(root);
  };
}

class Strip {
  constructor(root) {
    const find = (name) => root.querySelector(name);
    this.section = find(".strip");
    this.stage = find(".stage");
    this.sentence = find(".sentence");
    this.typical = find(".typical");
    this.lead = find(".lead");
    this.quote = find(".quote");
    this.button = find(".play");
    this.speed = find(".speed");
    this.slider = find("input");
    this.graph = find(".graph");
    this.marks = find(".marks");
    this.output = find(".t");
    this.facts = find(".facts");
    this.others = find(".others");
    this.list = find(".rows");
    this.live = find(".live");
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.heard = ({ detail }) => this.hear(detail);
    document.addEventListener(STEP, this.heard);
    this.slider.oninput = () => {
      this.stop();
      this.show(Number(this.slider.value));
      this.leadOn();
    };
    this.slider.onchange = () => this.report();
    this.section.tabIndex = -1; // a click into it is enough for the arrow keys
    this.section.onkeydown = (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const free = [this.section, this.button].includes(event.target) && !(event.altKey || event.ctrlKey || event.metaKey);
      if (by && free) {
        event.preventDefault();
        return this.go(this.step + by);
      }
      if (event.key !== " " || event.target !== this.slider) return; // buttons know what to do with it
      event.preventDefault();
      this.button.click();
    };
    this.button.onclick = () => (this.timer || this.led ? this.pause() : this.play());
    this.speed.onchange = () => this.timer && this.run();
    this.wide = new ResizeObserver(() => this.cap());
    this.wide.observe(this.section);
    this.graph.onclick = (event) => {
      const box = this.graph.getBoundingClientRect();
      this.go(Math.round(((event.clientX - box.left) / box.width) * (this.data.steps.length - 1)));
    };
  }

  close() {
    clearInterval(this.timer);
    clearTimeout(this.waiting);
    document.removeEventListener(STEP, this.heard);
    this.wide.disconnect();
  }

  update({ data, setStateValue }) {
    const fresh = this.data?.id !== data.id;
    this.data = data;
    this.tell = (step) => setStateValue("position", { id: data.id, step, at: Date.now() });
    this.section.classList.toggle("paired", Boolean(data.group));
    this.section.setAttribute("aria-label", ["The path, sentence by sentence", data.label].filter(Boolean).join(": "));
    if (!fresh) return;
    this.stop();
    this.led = false;
    this.light();
    this.slider.max = String(data.steps.length - 1);
    this.stage.replaceChildren(this.sentence, ...data.rows.map((row) => said("div", row, "unseen")));
    this.list.replaceChildren(...data.rows.map((row) => this.row(row)));
    this.stage.classList.toggle("long", data.rows.some((row) => plain(row.words).length > LONG));
    this.mark();
    this.draw();
    this.cap();
    this.show(data.position);
  }

  row(row) {
    const button = document.createElement("button");
    button.type = "button";
    const place = document.createElement("span");
    place.className = "where";
    place.textContent = row.where;
    button.append(place, said("span", row, "said"));
    button.onclick = () => this.go(row.first);
    const item = document.createElement("li");
    item.append(button);
    return item;
  }

  // A list that is higher than its style lets it be ends where a row does.
  cap() {
    const { list } = this;
    list.style.maxHeight = "";
    if (list.scrollHeight <= list.clientHeight) return;
    const ends = [...list.children].map((item) => item.offsetTop + item.offsetHeight - list.offsetTop - list.clientTop);
    list.style.maxHeight = `${ends.findLast((end) => end <= list.clientHeight) ?? list.clientHeight}px`;
  }

  // How far along the rail a t is, from 0 to 1.
  share(place) {
    const { t } = this.data;
    return (place - t[0]) / (t.at(-1) - t[0]);
  }

  // Where A and B are on the rail.
  mark() {
    const ends = [["A", 0], ["B", 1]].map(([name, place]) => {
      const span = document.createElement("span");
      span.textContent = name;
      span.style.left = `calc(${KNOB}rem + ${this.share(place)} * (100% - ${2 * KNOB}rem))`;
      return span;
    });
    this.marks.replaceChildren(...ends);
  }

  // Along the slider: a field for each sentence, and one line for each figure over its own range.
  draw() {
    const { steps, rows, lines } = this.data;
    this.facts.hidden = !steps.some(({ typical, lead }) => typical || lead);
    const last = Math.max(steps.length - 1, 1);
    const fields = rows.map(({ first }, row) => {
      const [from, to] = [Math.max(first - 0.5, 0), Math.min((rows[row + 1]?.first ?? steps.length) - 0.5, last)];
      return shape("rect", { x: from, y: 0, width: to - from, height: 1, class: row % 2 ? "field odd" : "field" });
    });
    const plots = lines.map(({ name, values, low, high, band }) => {
      const y = (value) => 1 - (Math.min(Math.max(value, low), high) - low) / (high - low || 1);
      const svg = shape("svg", { viewBox: `0 0 ${last} 1`, preserveAspectRatio: "none" });
      svg.append(...fields.map((field) => field.cloneNode()));
      if (band) {
        const [top, bottom] = [y(band[1]), y(band[0])];
        svg.append(shape("rect", { x: 0, y: top, width: last, height: bottom - top, class: "band" }));
      }
      svg.append(
        shape("polyline", { points: values.map((value, step) => `${step},${y(value)}`).join(" "), class: "line" }),
        shape("line", { x1: 0, x2: 0, y1: 0, y2: 1, class: "now" }),
      );
      const title = document.createElement("span");
      title.textContent = name;
      const plot = document.createElement("div");
      plot.className = "plot";
      plot.append(title, svg);
      return plot;
    });
    this.graph.replaceChildren(...plots);
  }

  show(step, playing = false) {
    const { id, steps, rows, t } = this.data;
    const before = this.step;
    this.step = Math.min(Math.max(step, 0), steps.length - 1);
    const { row, typical, lead, quote, near } = steps[this.step];
    this.sentence.replaceChildren(...said("div", rows[row]).childNodes);
    this.typical.textContent = typical;
    this.lead.textContent = lead;
    this.quote.textContent = quote;
    this.others.hidden = !near.length;
    this.others.firstElementChild.textContent = `The ${near.length} nearest sentences of the map`;
    this.others.lastElementChild.replaceChildren(...near.map(neighbour));
    const place = `t = ${t[this.step].toFixed(2).replace("-", "−")}`;
    this.output.textContent = place;
    this.slider.value = String(this.step);
    this.slider.setAttribute("aria-valuetext", `${place}: ${plain(rows[row].words)}`);
    if (playing && steps[before]?.row !== row) this.live.textContent = plain(rows[row].words);
    for (const now of this.graph.querySelectorAll(".now")) {
      now.setAttribute("x1", this.step);
      now.setAttribute("x2", this.step);
    }
    [...this.list.children].forEach((item, index) => {
      const button = item.firstChild;
      if (index === row) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      if (index === row) this.reveal(item);
    });
    this.send({ id, step: this.step });
  }

  // Scrolls the list, and nothing but the list.
  reveal(item) {
    const { list } = this;
    const top = item.offsetTop - list.offsetTop;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + item.offsetHeight > list.scrollTop + list.clientHeight)
      list.scrollTop = top + item.offsetHeight - list.clientHeight;
  }

  go(step) {
    this.stop();
    this.show(step);
    this.leadOn();
    this.report();
  }

  // --- Playing ------------------------------------------------------------------------------------------------------

  play() {
    if (this.step >= this.data.steps.length - 1) this.show(0);
    this.run();
    this.leadOn();
  }

  run() {
    clearInterval(this.timer);
    this.timer = setInterval(() => this.onward(), (this.calm.matches ? UNHURRIED : PACE) / Number(this.speed.value));
    this.light();
  }

  onward() {
    const { steps, rows } = this.data;
    const next = this.calm.matches ? (rows[steps[this.step].row + 1]?.first ?? steps.length - 1) : this.step + 1;
    this.show(next, true);
    if (this.step >= steps.length - 1) this.pause();
    else this.leadOn();
  }

  pause() {
    this.stop();
    this.led = false;
    this.light();
    this.leadOn();
    this.report();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.light();
  }

  light() {
    const playing = Boolean(this.timer || this.led);
    this.button.classList.toggle("playing", playing);
    this.button.setAttribute("aria-label", playing ? "Pause" : "Play the path");
  }

  // --- Together -----------------------------------------------------------------------------------------------------

  send(detail) {
    document.dispatchEvent(new CustomEvent(STEP, { detail: { ...detail, from: this } }));
  }

  // The others of the group come along.
  leadOn() {
    const { group, id, t } = this.data;
    if (group) this.send({ group, id, step: this.step, t: t[this.step], playing: Boolean(this.timer) });
  }

  hear({ from, jump, id, step, group, t, playing }) {
    if (!this.data || from === this) return;
    if (jump && id === this.data.id) this.go(step);
    if (!group || group !== this.data.group) return;
    this.stop();
    this.led = playing;
    this.light();
    const away = this.data.t.map((place) => Math.abs(place - t));
    this.show(away.indexOf(Math.min(...away)));
  }

  // Python is told when the reader has come to rest, not at every key.
  report() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.tell(this.step), 300);
  }
}

// All that was read at a step, one under the other.
function said(tag, { words, more }, className = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...[words, ...more].map((each, index) => line(each, index ? "more" : "first")));
  return made;
}

function line(words, className) {
  const made = document.createElement("span");
  made.className = className;
  made.dir = "auto";
  if (!words.length) made.textContent = "(an empty sentence)";
  made.append(...marked(words));
  return made;
}

function neighbour([far, text]) {
  const made = document.createElement("li");
  const parts = [far, text].map((content) => {
    const span = document.createElement("span");
    span.textContent = content;
    return span;
  });
  parts[1].dir = "auto";
  parts[1].title = text;
  made.append(...parts);
  return made;
}

function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
