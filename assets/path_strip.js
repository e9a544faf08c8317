// A path, read in the browser: the whole of it has been decoded, so moving along asks nobody. Python hears where the
// reader stopped (state `position`: the path and the step), and the map beside it follows through the event `bottleneck:step`.

const STEP = "bottleneck:step";
const PACE = 650; // milliseconds a step when it plays
const LONG = 170; // characters from which a sentence is set smaller
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
    this.stage = find(".stage");
    this.sentence = find(".sentence");
    this.typical = find(".typical");
    this.lead = find(".lead");
    this.quote = find(".quote");
    this.button = find(".play");
    this.slider = find("input");
    this.marks = find(".marks");
    this.output = find(".t");
    this.list = find(".rows");
    this.jump = ({ detail }) => {
      if (detail.jump && detail.id === this.data?.id) this.go(detail.step);
    };
    document.addEventListener(STEP, this.jump);
    this.slider.oninput = () => {
      this.pause();
      this.show(Number(this.slider.value));
    };
    this.slider.onchange = () => this.report();
    this.button.onclick = () => (this.timer ? this.pause(true) : this.play());
  }

  close() {
    clearInterval(this.timer);
    clearTimeout(this.waiting);
    document.removeEventListener(STEP, this.jump);
  }

  update({ data, setStateValue }) {
    const fresh = this.data?.id !== data.id;
    this.data = data;
    this.tell = (step) => setStateValue("position", { id: data.id, step });
    if (!fresh) return;
    this.pause();
    this.slider.max = String(data.steps.length - 1);
    this.stage.replaceChildren(this.sentence, ...data.rows.map((row) => words("p", row.words, "unseen")));
    this.list.replaceChildren(...data.rows.map((row) => this.row(row)));
    this.stage.classList.toggle("long", data.rows.some((row) => row.words.map(([word]) => word).join(" ").length > LONG));
    this.mark();
    this.show(data.position);
  }

  row({ first, where, words: said }) {
    const button = document.createElement("button");
    button.type = "button";
    const place = document.createElement("span");
    place.className = "where";
    place.textContent = where;
    const text = words("span", said, "said");
    text.dir = "auto";
    button.append(place, text);
    button.onclick = () => this.go(first);
    const item = document.createElement("li");
    item.append(button);
    return item;
  }

  // Where A and B are on the rail. The knob's middle runs from half its width to the same before the end.
  mark() {
    const { t } = this.data;
    const ends = [["A", 0], ["B", 1]].map(([name, place]) => {
      const share = (place - t[0]) / (t.at(-1) - t[0]);
      const span = document.createElement("span");
      span.textContent = name;
      span.style.left = `calc(0.675rem + ${share} * (100% - 1.35rem))`;
      return span;
    });
    this.marks.replaceChildren(...ends);
  }

  show(step) {
    const { steps, rows, t } = this.data;
    this.step = Math.min(Math.max(step, 0), steps.length - 1);
    const { row, typical, lead, quote } = steps[this.step];
    this.sentence.replaceChildren(...words("p", rows[row].words).childNodes);
    this.typical.textContent = typical;
    this.lead.textContent = lead;
    this.quote.textContent = quote;
    const place = `t = ${t[this.step].toFixed(2).replace("-", "−")}`;
    this.output.textContent = place;
    this.slider.value = String(this.step);
    this.slider.setAttribute("aria-valuetext", `${place}: ${rows[row].words.map(([word]) => word).join(" ")}`);
    [...this.list.children].forEach((item, index) => {
      const button = item.firstChild;
      if (index === row) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      if (index === row) this.reveal(item);
    });
    document.dispatchEvent(new CustomEvent(STEP, { detail: { id: this.data.id, step: this.step } }));
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
    this.pause();
    this.show(step);
    this.report();
  }

  play() {
    const last = this.data.steps.length - 1;
    if (this.step >= last) this.show(0);
    this.button.classList.add("playing");
    this.button.setAttribute("aria-label", "Pause");
    this.timer = setInterval(() => {
      if (this.step >= last) this.pause(true);
      else this.show(this.step + 1);
    }, PACE);
  }

  pause(report = false) {
    if (!this.timer) return;
    clearInterval(this.timer);
    this.timer = null;
    this.button.classList.remove("playing");
    this.button.setAttribute("aria-label", "Play the path");
    if (report) this.report();
  }

  // Python is told when the reader has come to rest, not at every key.
  report() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.tell(this.step), 300);
  }
}

function words(tag, said, className = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (!said.length) made.textContent = "(an empty sentence)";
  said.forEach(([word, fresh], index) => {
    if (index) made.append(" ");
    if (!fresh) return made.append(word);
    const mark = document.createElement("mark");
    mark.textContent = word;
    made.append(mark);
  });
  return made;
}
