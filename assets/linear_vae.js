// A linear VAE at every noise: all of it has been trained, so the slider asks nobody, and nobody is told.
// Over the logarithm of the noise the exact KL of a dimension is a straight line down to its variance, then 0.

const SVG = "http://www.w3.org/2000/svg";
const views = new WeakMap();

export default function (component) {
  const root = component.parentElement;
  if (!views.has(root)) views.set(root, new View(root));
  views.get(root).update(component.data);
  return () => views.delete(root);
}

class View {
  constructor(root) {
    const find = (name) => root.querySelector(name);
    this.count = find(".count");
    this.plot = find(".plot svg");
    this.levels = find(".levels");
    this.names = find(".names");
    this.now = find(".now");
    this.deaths = find(".deaths");
    this.slider = find("input");
    this.ticks = find(".ticks");
    this.noise = find("figcaption b");
    this.list = find(".here ol");
    this.scale = find(".scale");
    this.live = find(".live");
    this.slider.oninput = () => this.show(Number(this.slider.value));
  }

  update(data) {
    if (this.data?.id === data.id) return;
    this.data = data;
    this.slider.max = String(data.stops.length - 1);
    this.slider.value = "0";
    this.draw();
    this.show(0);
    this.live.textContent = "";
  }

  // Shares of the axes, in percent from the left or the bottom.
  along(noise) {
    const [low, high] = [this.data.stops[0].noise, this.data.stops.at(-1).noise];
    return (100 * Math.log(noise / low)) / Math.log(high / low);
  }

  up(kl) {
    return (100 * kl) / this.data.levels.at(-1).kl;
  }

  draw() {
    const { dimensions, stops, ticks, levels } = this.data;
    const point = (noise, kl) => `${this.along(noise)} ${100 - this.up(kl)}`;
    const last = stops.at(-1);
    this.plot.replaceChildren(
      ...dimensions.map(({ variance }, index) => {
        const corner = Math.min(variance, last.noise);
        const ends = [point(stops[0].noise, stops[0].exact[index]), point(corner, last.exact[index])];
        return path("exact", `M${ends.join("L")}L${point(last.noise, last.exact[index])}`);
      }),
      path("trained", stops.map(({ noise, trained }) => trained.map((kl) => `M${point(noise, kl)}h0`).join("")).join("")),
    );
    this.names.replaceChildren(
      ...dimensions.map(({ variance }, index) => {
        const name = at(this.along(variance) / 2, String(index + 1)); // half-way down its line
        name.style.bottom = `${this.up(stops[0].exact[index] / 2)}%`;
        return name;
      }),
    );
    this.levels.replaceChildren(
      ...levels.map(({ kl, shown }) => {
        const level = element("span");
        level.dataset.shown = shown;
        level.style.bottom = `${this.up(kl)}%`;
        return level;
      }),
    );
    this.deaths.replaceChildren(...dimensions.map(({ variance }, index) => at(this.along(variance), String(index + 1))));
    this.ticks.replaceChildren(...ticks.map(({ noise, shown }) => at(this.along(noise), shown)));
    this.scale.replaceChildren(...levels.map(({ kl, shown }) => at(this.up(kl), shown)));
    this.list.replaceChildren(
      ...dimensions.map(({ shown }, index) => {
        const bar = element("div", "bar");
        bar.setAttribute("aria-hidden", "true");
        bar.append(element("span", "filled"), element("span", "outline"));
        const item = element("li");
        item.append(
          element("span", "name", String(index + 1)), element("span", "variance", `variance ${shown}`),
          bar, element("span", "value"),
        ); // prettier-ignore
        return item;
      }),
    );
  }

  show(stop) {
    const { noise, shown, count, trained, exact, said } = this.data.stops[stop];
    if (this.count.textContent !== count) this.live.textContent = count;
    this.count.textContent = count;
    this.noise.textContent = shown;
    this.slider.setAttribute("aria-valuetext", `${shown}: ${count}`);
    this.now.style.left = `${this.along(noise)}%`;
    [...this.list.children].forEach((item, index) => {
      const dead = said[index] === "dead";
      item.classList.toggle("dead", dead);
      this.deaths.children[index].classList.toggle("dead", dead);
      item.querySelector(".filled").style.width = `${this.up(trained[index])}%`;
      item.querySelector(".outline").style.width = `${this.up(exact[index])}%`;
      item.querySelector(".value").textContent = said[index];
    });
  }
}

function at(share, text) {
  const mark = element("span", "", text);
  mark.style.left = `${share}%`;
  return mark;
}

function path(className, d) {
  const made = document.createElementNS(SVG, "path");
  made.setAttribute("class", className);
  made.setAttribute("d", d);
  return made;
}

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}
