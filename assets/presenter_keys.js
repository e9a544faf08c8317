// Keys, and the buttons of a presenter's remote, that turn the pages of a lesson. They are heard wherever nothing
// else needs them: a control or a player that has the focus keeps its arrow keys, but never Page Up and Page Down.

const WAYS = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 };
const OWN = "input, textarea, select, [contenteditable], [role=slider], [role=radio], [role=tab], [role=combobox], canvas";
const PLAYERS = ".race, .film, .strip";

export default function ({ setTriggerValue, parentElement }) {
  const heard = (event) => {
    const way = WAYS[event.key];
    if (!way || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const target = event.composedPath()[0];
    const paged = event.key.startsWith("Page") && !target.matches?.("textarea");
    if (!paged && (target.matches?.(OWN) || event.composedPath().some((part) => part.matches?.(PLAYERS)))) return;
    event.preventDefault();
    event.stopPropagation();
    setTriggerValue("turned", way);
  };
  const page = parentElement.ownerDocument;
  page.addEventListener("keydown", heard, true); // before a slider takes Page Down for itself
  return () => page.removeEventListener("keydown", heard, true);
}
