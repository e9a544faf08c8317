// What films and races have in common: going along a clock that has ticks from 0 to `last`, by buttons, slider and keys,
// and sentences as they were written.
//
// A place on the clock is a number; at rest it is always a whole one. Whoever extends it says what is seen at `place`
// (`show`), and may hear of every rest that somebody chose (`rested`).

const PACE = 800; // milliseconds from tick to tick
const SLOW = 4200; // milliseconds that slow motion stays at a tick, so that what changed can be read
const GLIDE = 450; // milliseconds of a single step
const END = 1500; // milliseconds that the last tick stays before it begins again

class Player {
  place = 0;
  last = 0;

  constructor(root) {
    for (const name of ["play", "back", "forth", "speed", "loop"]) this[name] = root.querySelector(`.${name}`);
    this.slider = root.querySelector("input[type=range]");
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.play.onclick = () => (this.playing ? this.pause() : this.start());
    this.back.onclick = () => this.step(-1);
    this.forth.onclick = () => this.step(1);
    this.loop.onclick = () => press(this.loop);
    this.speed.onchange = () => this.playing && this.start();
    this.slider.oninput = () => this.go(Number(this.slider.value));
    this.slider.onkeydown = (event) => this.key(event);
  }

  rested() {}

  at() {
    return clamp(Math.floor(this.place + 1e-6), 0, this.last);
  }

  start() {
    this.stop();
    this.playing = true;
    this.light();
    if (this.place >= this.last) this.jump(0);
    if (this.calm.matches || !Number(this.speed.value)) this.beat();
    else this.roll();
  }

  // One tick after the other, with a rest at each.
  beat() {
    const slow = !Number(this.speed.value);
    this.waiting = setTimeout(() => {
      const next = this.at() + 1;
      if (next > this.last) return this.ended(() => this.beat());
      this.glide(next, slow ? 2 * GLIDE : GLIDE, () => this.beat());
    }, slow ? SLOW : PACE / Number(this.speed.value));
  }

  // Without a rest.
  roll() {
    let before = performance.now();
    const on = (now) => {
      this.place = Math.min(this.last, this.place + (Math.min(now - before, 200) / PACE) * Number(this.speed.value));
      before = now;
      this.show();
      if (this.place < this.last) this.frame = requestAnimationFrame(on);
      else this.ended(() => this.roll());
    };
    this.frame = requestAnimationFrame(on);
  }

  ended(again) {
    if (!pressed(this.loop)) return this.pause();
    this.waiting = setTimeout(() => {
      this.jump(0);
      again();
    }, END);
  }

  pause() {
    this.stop();
    this.glide(Math.round(this.place), GLIDE / 2, () => this.rested());
  }

  stop() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.waiting);
    this.playing = false;
    this.light();
  }

  step(by) {
    const from = this.playing || by > 0 ? this.at() : Math.ceil(this.place - 1e-6);
    this.stop();
    this.glide(clamp(from + by, 0, this.last), GLIDE, () => this.rested());
  }

  go(place) {
    this.stop();
    this.jump(place);
    this.rested();
  }

  jump(place) {
    this.place = clamp(place, 0, this.last);
    this.show();
  }

  glide(goal, time, then) {
    cancelAnimationFrame(this.frame);
    const [from, began] = [this.place, performance.now()];
    const on = (now) => {
      const share = this.calm.matches || time <= 0 || goal === from ? 1 : clamp((now - began) / time, 0, 1);
      this.place = share === 1 ? goal : from + (goal - from) * share * share * (3 - 2 * share);
      this.show();
      if (share < 1) this.frame = requestAnimationFrame(on);
      else then?.();
    };
    on(began);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const press = { " ": () => this.play.click(), l: () => this.loop.click(), L: () => this.loop.click() }[event.key];
    if (!press) return; // arrows, Home and End are the slider's own
    event.preventDefault();
    press();
  }

  light() {
    this.play.classList.toggle("playing", Boolean(this.playing));
    this.play.setAttribute("aria-label", this.playing ? "Pause" : "Play");
  }
}

function pressed(button) {
  return button.getAttribute("aria-pressed") === "true";
}

function press(button) {
  button.setAttribute("aria-pressed", String(!pressed(button)));
}

// A sentence above what was made of it, marked where it differs.
function pair({ text, words }) {
  const made = element("div", "pair");
  const [before, after] = [element("div", "quiet", text || "(an empty sentence)"), element("div")];
  before.dir = after.dir = "auto";
  if (words.length) after.append(...marked(words));
  else after.textContent = "(nothing: an empty sentence)";
  if (text.split(/\s+/).filter(Boolean).join(" ") === plain(words)) after.append(element("span", "quiet", " ✓"));
  made.append(before, after);
  return made;
}

function counted([text, count]) {
  const made = element("div", "pair", text || "(an empty sentence)");
  made.dir = "auto";
  if (count > 1) made.append(element("span", "quiet", ` × ${count}`));
  return made;
}
