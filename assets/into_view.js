// Brings the container of a key to the middle or to the top of the window, once for each key, gives it the keyboard, and
// keeps it there while the page around it is still being laid out: until the reader does anything, or three seconds have
// passed.

const LAST = 3000; // ms
const GESTURES = ["wheel", "touchstart", "pointerdown", "keydown"];

export default function ({ data, parentElement }) {
  const own = parentElement.querySelector("span");
  const place = document.querySelector(`.st-key-${CSS.escape(data.key)}`);
  if (!place || own.dataset.shown === data.key) return;
  own.dataset.shown = data.key;
  const show = () => place.scrollIntoView({ block: data.block });
  const layout = new ResizeObserver(show);
  const end = () => {
    layout.disconnect();
    GESTURES.forEach((gesture) => window.removeEventListener(gesture, end, true));
  };
  place.tabIndex = -1;
  place.style.outline = "none"; // it is a place, not a control
  place.style.scrollMarginTop = "var(--navigation, 5rem)"; // below it
  if (data.label) {
    place.setAttribute("role", "group");
    place.setAttribute("aria-label", data.label);
  }
  place.focus({ preventScroll: true });
  show();
  layout.observe(place.parentElement);
  GESTURES.forEach((gesture) => window.addEventListener(gesture, end, true));
  setTimeout(end, LAST);
}
