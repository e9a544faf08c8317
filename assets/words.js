// A sentence held against another, in the runs of `sentences.compared`: words of both, new ones, and those that are gone.
// The caret of the latter is drawn without a sign: what is copied or read out is the sentence.
function marked(runs) {
  const made = [];
  let joined = true; // nothing stands before, or a caret
  for (const [words, kind] of runs) {
    if (!joined) made.push(" ");
    joined = kind === "gone";
    if (!kind) {
      made.push(words);
      continue;
    }
    const mark = document.createElement(joined ? "span" : "mark");
    if (joined) {
      mark.className = "gone";
      mark.setAttribute("role", "img");
      mark.setAttribute("aria-label", `left out: ${words}`);
      mark.title = `left out: ${words}`;
    } else mark.textContent = words;
    made.push(mark);
  }
  return made;
}

function plain(runs) {
  return runs
    .filter(([, kind]) => kind !== "gone")
    .map(([words]) => words)
    .join(" ");
}
