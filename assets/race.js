// A race: runs side by side on one clock, with the verdict on each as it was earned. All of it is here before it plays,
// so going along asks nobody; while runs train, what is new arrives, and the newest check is followed until somebody
// goes back. How it is played is in player.js.
//
// The curves beneath learn where it is through the event `bottleneck:race` on the document: the largest `step` of all.

const SIGNS = { healthy: "✓", weak: "~", autoencoder: "↔", collapsed: "×", disconnected: "×" };
Object.assign(SIGNS, { unknown: "…", "warm-up": "…", yardstick: "=" }); // no verdicts

export default (component) => mount(component, Race);

class Race extends Player {
  constructor(root) {
    super(root);
    const find = (name) => root.querySelector(name);
    for (const name of ["clock", "now", "course", "lanes", "live", "on"]) this[name] = find(`.${name}`);
    this.blank = find(".race > .lane");
    this.section = find(".race");
    this.section.onkeydown = (event) => this.pressed(event);
    this.on.onclick = () => this.go(this.last);
    this.clock.onchange = () => this.wind();
    this.course.onclick = (event) => {
      const box = this.course.getBoundingClientRect();
      this.go(Math.round(((event.clientX - box.left) / box.width) * this.last));
    };
  }

  close() {
    this.stop();
  }

  // Keys anywhere in the race, which a click gives the focus; slider and lists know their own.
  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.target.matches("input, select")) return;
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) this.step(by);
    else if (event.key === " " && event.target === this.section) this.play.click();
    else return;
    event.preventDefault();
  }

  update({ data }) {
    const before = this.data;
    this.data = data;
    if (before?.id !== data.id) this.begin();
    this.on.hidden = !data.live;
    this.section.classList.toggle("compact", Boolean(data.compact));
    this.tracks.forEach((track, index) => track.update(data.lanes[index]));
    if (before?.id !== data.id || before.key !== data.key) this.wind();
    else this.tracks.forEach((track) => track.stand(this.at() === this.last));
    if (data.asked && data.asked.number !== this.heard) this.goTo(data.asked.step);
    this.heard = data.asked?.number;
  }

  // The last tick by which no run was further than a step.
  goTo(step) {
    const far = ({ frames }) => frames.some((frame, lane) => (this.data.lanes[lane].checks[frame]?.step ?? 0) > step);
    const after = this.ticks.findIndex(far);
    this.go(after < 0 ? this.last : Math.max(0, after - 1));
  }

  // Another race.
  begin() {
    const { lanes, clocks } = this.data;
    this.stop();
    this.tracks = lanes.map(() => new Track(this.blank.cloneNode(true)));
    this.lanes.replaceChildren(...this.tracks.map(({ root }) => root));
    this.lanes.classList.toggle("many", lanes.length === 3 || lanes.length > 4);
    this.lanes.classList.toggle("four", lanes.length === 4);
    this.clock.replaceChildren(...clocks.map(({ title }, index) => new Option(title, index)));
    this.wound = null;
    this.told = null;
    this.following = true;
  }

  // The clock is new, or has become longer: stay where one was, or follow the newest check.
  wind() {
    const { clocks, start } = this.data;
    const was = this.wound && this.ticks[this.at()];
    this.wound = clocks[Math.max(0, this.clock.selectedIndex)];
    this.ticks = this.wound.ticks;
    this.last = Math.max(0, this.ticks.length - 1);
    this.slider.max = String(this.last);
    this.drawCourse();
    this.told = null;
    if (!was) {
      this.following = start === null;
      this.jump(start === null ? this.last : Math.round((start / 100) * this.last));
    } else if (this.playing) this.show();
    else this.jump(this.following ? this.last : this.nearest(was));
  }

  // The tick that shows the same checks, or the first that shows as many.
  nearest({ frames }) {
    const found = this.ticks.findIndex((tick) => tick.frames.every((frame, index) => frame >= frames[index]));
    return found < 0 ? this.last : found;
  }

  rested() {
    this.following = this.at() === this.last;
    this.tellLive();
  }

  start() {
    this.following = false;
    super.start();
    this.tellLive();
  }

  step(by) {
    this.following = false; // from now on, not when it has got there
    super.step(by);
  }

  tellLive() {
    this.on.setAttribute("aria-pressed", String(Boolean(this.following) && !this.playing));
  }

  show() {
    const tick = this.at();
    if (this.told === tick) return;
    const first = this.told === null;
    this.told = tick;
    const { label, frames } = this.ticks[tick] ?? { label: "", frames: this.tracks.map(() => -1) };
    const said = this.tracks.map((track, index) => track.show(frames[index], this.data, tick === this.last)).filter(Boolean);
    if (said.length && !(first && !this.data.live)) this.live.textContent = said.join(" ");
    this.slider.value = String(tick);
    this.slider.setAttribute("aria-valuetext", `${label}. ${this.tracks.map((track) => track.spoken()).join(" ")}`);
    this.now.textContent = label;
    this.course.style.setProperty("--at", this.last ? tick / this.last : 0);
    this.tellLive();
    const step = Math.max(...this.data.lanes.map(({ checks }, index) => checks[frames[index]]?.step ?? 0));
    document.dispatchEvent(new CustomEvent("bottleneck:race", { detail: { step } }));
  }

  // The verdict on each run from tick to tick.
  drawCourse() {
    const rows = this.data.lanes.map(({ name, colour, checks }, lane) => {
      const row = element("div");
      row.style.borderColor = colour;
      let part = null;
      this.ticks.forEach(({ frames }, tick) => {
        const verdict = checks[frames[lane]]?.verdict ?? "unknown";
        if (part?.verdict === verdict) part.end = tick;
        else {
          if (part) row.append(stretch(part, name));
          part = { verdict, from: tick, end: tick };
        }
      });
      if (part) row.append(stretch(part, name));
      return row;
    });
    this.course.replaceChildren(...rows);
  }
}

function stretch({ verdict, from, end }, name) {
  const made = element("span", verdict, `${SIGNS[verdict]} ${verdict}`);
  made.title = `${name}: ${verdict}`;
  made.style.flex = `${end - from + 1} 1 0`;
  return made;
}

// One run of the race.
class Track {
  constructor(root) {
    this.root = root;
    root.hidden = false;
    const find = (name) => root.querySelector(name);
    for (const name of ["where", "value", "unit", "verdict", "sign", "lead", "headline", "evidence", "turns", "rebuilt", "random"])
      this[name] = find(`.${name}`);
    this.title = find("h2");
    this.bar = find(".progress > div");
    this.below = root.querySelectorAll(".title");
    this.seen = null;
  }

  update(lane) {
    this.lane = lane;
    this.root.style.setProperty("--colour", lane.colour);
    this.title.textContent = lane.name;
  }

  // How far it is. At the newest check that is what the run says itself.
  stand(newest) {
    const { lane, frame } = this;
    const check = lane.checks[frame];
    const now = newest && frame === lane.checks.length - 1;
    const share = now && lane.active ? lane.share : (check?.step ?? 0) / lane.total;
    this.bar.style.width = `${100 * Math.min(1, share)}%`;
    this.where.textContent = (now && lane.said) || (check ? place(check, lane) : "Not measured yet.");
  }

  // What there was at a check; the answer is what changed about the verdict, in words.
  show(frame, { metric }, newest) {
    const { lane } = this;
    const check = lane.checks[frame];
    const was = this.seen;
    this.frame = frame;
    this.seen = check?.verdict ?? "unknown";
    this.stand(newest);
    this.value.textContent = check?.value ?? "–";
    this.unit.textContent = `${metric.symbol}, ${metric.unit}`;
    this.unit.title = `${metric.title}. ${metric.definition}`;
    this.verdict.className = `verdict ${this.seen}`;
    this.sign.textContent = SIGNS[this.seen];
    const ended = !lane.active && frame === lane.checks.length - 1;
    const judged = !["unknown", "warm-up", "yardstick"].includes(this.seen);
    this.lead.textContent = judged ? (ended ? lane.ending : "So far") : "";
    this.headline.textContent = check?.headline ?? "No verdict yet: it comes with the first check.";
    this.evidence.textContent = check?.evidence ?? "";
    const turned = was !== null && was !== this.seen;
    if (turned) this.verdict.classList.add("turned");
    this.turns.replaceChildren(...lane.turns.map(({ check: at, words }) => element("li", at > frame ? "later" : "", words)));
    const written = lane.written[check?.page];
    for (const title of this.below) title.hidden = !written;
    this.rebuilt.replaceChildren(...(written?.pairs ?? []).map(pair));
    this.random.replaceChildren(...(written?.prior ?? []).map(counted));
    return turned && check ? `${lane.name}: ${check.headline}` : "";
  }

  spoken() {
    return `${this.lane.name}: ${this.headline.textContent}`;
  }
}

function place({ step, phase }, { total, phases }) {
  const share = Math.round((100 * step) / total);
  const where = `step ${step.toLocaleString("en")} of ${total.toLocaleString("en")} (${share} %)`;
  return phases[phase] ? `${where} · ${phases[phase]}` : where;
}
