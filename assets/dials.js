// Sliders over codes that have all been read, so that moving one of them asks nobody: the sentence at each stop of a
// slider is there already. Where a slider comes to rest, Python hears of it (state `moved`: the slider, its value, and
// the number of the message) and answers with a new board, since the stops of all other sliders then read differently.
// Until it has, their sentences are not known, and none is shown for them.

const REST = 300; // milliseconds without a key after which a slider counts as being at rest
const LONG = 170; // characters from which a sentence is set smaller
const boards = new WeakMap();

export default function (component) {
  const root = component.parentElement;
  if (!boards.has(root)) boards.set(root, new Board(root));
  boards.get(root).update(component);
  return () => {
    clearTimeout(boards.get(root)?.resting);
    boards.delete(root);
  };
}

class Board {
  constructor(root) {
    const find = (name) => root.querySelector(name);
    this.root = find(".board");
    this.from = find(".before .from");
    this.before = find(".before .words");
    this.now = find(".now");
    this.sentence = find(".sentence");
    this.typical = find(".typical");
    this.lead = find(".lead");
    this.quote = find(".quote");
    this.list = find(".dials");
    this.title = find(".along .title");
    this.rows = find(".along .rows");
    this.others = find(".others");
    this.followers = find(".followers");
    this.live = find(".live");
    this.dials = new Map(); // name -> Dial
  }

  update({ data, setStateValue }) {
    const known = this.data?.id === data.id;
    const first = !this.data;
    const { family } = data;
    this.number = Math.max(this.number ?? 0, data.heard);
    this.tell = (name, value, number) => setStateValue("moved", { family, name, value, number });
    this.lock = (names) => setStateValue("locked", { family, names });
    this.data = data;
    const answered = this.told && data.heard >= this.told.number;
    if (answered) this.told = null;
    if (known) return;
    this.place();
    this.from.textContent = data.before.name;
    this.before.replaceChildren(...words("span", data.before.words).childNodes);
    const usual = data.sentences.filter((said) => plain(said).length <= LONG);
    this.now.replaceChildren(this.sentence, ...usual.map((said) => words("p", said, "unseen")));
    this.now.classList.toggle("long", usual.length < data.sentences.length);
    this.active = this.dials.get(this.active?.name) ?? this.dials.get(data.dials[0]?.name);
    this.follow();
    this.strip();
    this.show();
    if (!first && !answered && !this.told && !this.moved) this.live.textContent = this.sentence.textContent;
  }

  // The sliders, each kept where it is so that a hand on it does not lose it.
  place() {
    const names = new Set(this.data.dials.map(({ name }) => name));
    for (const [name, dial] of this.dials) {
      if (names.has(name)) continue;
      dial.item.remove();
      this.dials.delete(name);
    }
    this.data.dials.forEach((data, index) => {
      if (!this.dials.has(data.name)) this.dials.set(data.name, new Dial(this, data.name));
      const dial = this.dials.get(data.name);
      const there = this.list.children[index] ?? null;
      if (there !== dial.item) this.list.insertBefore(dial.item, there);
      const held = this.moved?.name === data.name || this.told?.name === data.name ? dial.value : data.values[data.own];
      dial.fill(data, held);
    });
    this.root.classList.toggle("one", this.data.dials.length === 1);
  }

  // A slider stands elsewhere now.
  move(dial, stop) {
    if (this.moved && this.moved.name !== dial.name) this.report();
    if (this.active !== dial) this.choose(dial);
    if (dial.stop === stop) return dial.place();
    dial.stop = stop;
    dial.place();
    this.moved = { name: dial.name, value: dial.value };
    this.show();
  }

  choose(dial) {
    this.active = dial;
    this.strip();
  }

  // A hand is on it, and has not moved it yet.
  turn(dial) {
    if (this.active === dial) return;
    this.report();
    this.choose(dial);
    this.show();
  }

  // It has come to rest there.
  rest(after = 0) {
    clearTimeout(this.resting);
    if (after) this.resting = setTimeout(() => this.report(), after);
    else this.report();
  }

  report() {
    clearTimeout(this.resting);
    if (!this.moved) return;
    const { name, value } = this.moved;
    this.moved = null;
    const dial = this.data.dials.find((each) => each.name === name);
    if (!dial || (dial.values[dial.own] === value && !this.told)) return;
    this.number += 1;
    this.told = { name, number: this.number };
    this.tell(name, value, this.number);
  }

  // What the sliders say, as they stand.
  show() {
    const { active, data } = this;
    if (!active) return;
    const away = [...this.dials.values()].filter((dial) => dial.stop !== dial.data.own);
    const unread = away.some((dial) => dial !== active);
    this.root.classList.toggle("unread", unread);
    this.root.setAttribute("aria-busy", String(unread));
    for (const dial of this.dials.values()) dial.say(dial === active && !unread);
    [...this.rows.children].forEach((item, index) => {
      const here = !unread && index === active.row();
      if (here) item.firstChild.setAttribute("aria-current", "true");
      else item.firstChild.removeAttribute("aria-current");
    });
    if (unread) return;
    const [said, fact] = data.rows[active.data.rows[active.stop]];
    this.sentence.replaceChildren(...words("p", data.sentences[said]).childNodes);
    const [typical, lead, quote] = data.facts[fact];
    this.typical.textContent = typical;
    this.lead.textContent = lead;
    this.quote.textContent = quote;
    data.followers.forEach((follower, index) => {
      const line = this.followers.children[index].lastChild;
      line.replaceChildren(...words("p", data.asides[follower.rows[active.stop]]).childNodes);
    });
  }

  // The sentences along the slider in hand.
  strip() {
    const { active } = this;
    if (!active) return;
    for (const dial of this.dials.values()) dial.item.classList.toggle("active", dial === active);
    const count = new Set(active.data.rows.map((row) => this.data.rows[row][0])).size;
    this.title.textContent = `Along ${active.name}: ${count === 1 ? "one and the same sentence" : `${count} sentences`}`;
    this.rows.replaceChildren(
      ...active.data.strip.map(({ first, last, where, words: said }) => {
        const button = element("button");
        button.type = "button";
        const text = words("span", said, "said");
        text.dir = "auto";
        button.append(element("span", "where", where), text);
        button.onclick = () => {
          const nearest = active.stop < first ? first : active.stop > last ? last : active.stop;
          this.move(active, nearest);
          this.rest();
        };
        const item = element("li");
        item.append(button);
        return item;
      }),
    );
  }

  // The further sentences that go along, each under what was encoded and, where that differs, what is rebuilt of it.
  follow() {
    const { followers, asides, others } = this.data;
    this.others.hidden = !followers.length;
    this.others.querySelector(".title").textContent = others;
    this.followers.replaceChildren(
      ...followers.map(({ input, rebuilt }) => {
        const item = element("li");
        const same = input.trim().split(/\s+/).join(" ") === plain(asides[rebuilt]);
        item.append(element("span", "is", "Sentence"), element("p", "was", input));
        if (!same) item.append(element("span", "is", "Rebuilt"), words("p", asides[rebuilt], "was"));
        item.append(element("span", "is", "Changed"), element("p", "said"));
        for (const line of item.querySelectorAll("p")) line.dir = "auto";
        return item;
      }),
    );
  }
}

class Dial {
  constructor(board, name) {
    Object.assign(this, { board, name });
    this.item = element("li", "dial");
    this.note = element("span", "note");
    this.slider = element("input");
    this.slider.type = "range";
    this.slider.step = "any";
    this.bands = element("div", "bands");
    this.bands.setAttribute("aria-hidden", "true");
    this.output = element("output");
    this.back = sign("back", "M5 12a7 7 0 1 0 2-5M5 4v4h4");
    this.key = sign("key", "M7 11V8a5 5 0 0 1 10 0v3M5.5 11h13v9h-13z");
    const head = element("div", "head");
    head.append(element("span", "name", name), this.note);
    const rail = element("div", "rail");
    rail.append(this.bands, this.slider);
    this.item.append(head, rail, this.output, this.back, this.key);
    this.listen();
  }

  get value() {
    return this.data.values[this.stop];
  }

  fill(data, value) {
    this.data = data;
    this.stop = nearest(data.values, value);
    this.note.textContent = data.note;
    const { slider } = this;
    [slider.min, slider.max] = [data.values[0], data.values.at(-1)];
    slider.setAttribute("aria-label", [this.name, data.note].filter(Boolean).join(", "));
    this.back.setAttribute("aria-label", `${this.name} back to ${data.shown[data.base]}`);
    this.back.title = `Back to ${data.shown[data.base]}`;
    this.key.hidden = data.locked === null;
    this.key.setAttribute("aria-pressed", String(Boolean(data.locked)));
    this.key.setAttribute("aria-label", `Lock ${this.name}`);
    this.key.title = data.locked ? "Locked: random values leave it as it is" : "Lock it against random values";
    this.draw();
    this.place();
  }

  // Where the sentence changes along the rail, where 0 is, and what the base has.
  draw() {
    const { values, strip, base } = this.data;
    const [low, high] = [values[0], values.at(-1)];
    const share = (value) => `${(100 * (value - low)) / (high - low)}%`;
    const edge = (stop) => (stop < 0 ? low : stop >= values.length - 1 ? high : (values[stop] + values[stop + 1]) / 2);
    const bands = strip.map(({ first, last }) => {
      const band = element("span", "band");
      band.style.left = share(edge(first - 1));
      band.style.right = `${100 - Number.parseFloat(share(edge(last)))}%`;
      return band;
    });
    const marks = [["zero", 0], ["base", values[base]]].map(([name, value]) => {
      const mark = element("span", name);
      mark.style.left = share(value);
      return mark;
    });
    this.bands.replaceChildren(...bands, ...marks);
  }

  row() {
    return this.data.strip.findIndex(({ first, last }) => first <= this.stop && this.stop <= last);
  }

  place() {
    this.slider.value = String(this.value);
    this.output.textContent = this.data.shown[this.stop];
    this.back.classList.toggle("idle", this.stop === this.data.base);
    this.back.disabled = this.stop === this.data.base;
  }

  // What is read out: the value, and the sentence if it is this slider's to say.
  say(speaking) {
    const { data, stop } = this;
    const said = speaking ? `: ${spoken(this.board.data.sentences[this.board.data.rows[data.rows[stop]][0]])}` : "";
    this.slider.setAttribute("aria-valuetext", `${data.shown[stop]}${said}`);
    const here = this.row();
    [...this.bands.querySelectorAll(".band")].forEach((band, index) => band.classList.toggle("here", index === here));
  }

  listen() {
    const { board, slider } = this;
    slider.onpointerdown = () => board.turn(this);
    slider.oninput = () => board.move(this, nearest(this.data.values, Number(slider.value)));
    slider.onchange = () => board.rest();
    slider.onfocus = () => board.turn(this);
    slider.onkeydown = (event) => {
      const { stop } = this;
      const last = this.data.values.length - 1;
      const to = {
        ArrowLeft: stop - 1, ArrowDown: stop - 1, ArrowRight: stop + 1, ArrowUp: stop + 1,
        PageDown: stop - 3, PageUp: stop + 3, Home: 0, End: last,
      }[event.key]; // prettier-ignore
      if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      board.move(this, Math.min(Math.max(to, 0), last));
      board.rest(REST);
    };
    this.back.onclick = () => {
      board.move(this, this.data.base);
      board.rest();
      slider.focus();
    };
    this.key.onclick = () => {
      const names = [...board.dials.values()].filter((dial) => dial.pressed() !== (dial === this)).map(({ name }) => name);
      this.key.setAttribute("aria-pressed", String(!this.pressed()));
      board.lock(names);
    };
  }

  pressed() {
    return this.key.getAttribute("aria-pressed") === "true";
  }
}

function nearest(values, value) {
  return values.reduce((best, each, stop) => (Math.abs(each - value) < Math.abs(values[best] - value) ? stop : best), 0);
}

function spoken(said) {
  return plain(said) || "an empty sentence";
}

function words(tag, said, className = "") {
  const made = element(tag, className);
  if (said.length) made.append(...marked(said));
  else made.textContent = "(an empty sentence)";
  return made;
}

function sign(className, path) {
  const button = element("button", `sign ${className}`);
  button.type = "button";
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  drawn.setAttribute("d", path);
  svg.append(drawn);
  button.append(svg);
  return button;
}

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}
