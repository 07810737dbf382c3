// Keys, and the page that lists them.
import { byId, make } from "./dom.js";

const HELP = [
  ["Everywhere", [["a", "accept, and go on to the next undecided"], ["r", "reject: a digit or Enter takes a reason"], ["u", "undecided again"], ["n", "next undecided"], ["← →", "previous, next"], ["b", "behind transparent results: checks, white, black, a colour"], ["d", "redo the rejected: what it would cost"], ["?", "this list"]]],
  ["Contact sheet", [["↑ ↓", "a row up, down"], ["Home End", "first, last"], ["Page ↑ ↓", "a page up, down"], ["Enter Space", "open"], ["+ −", "larger, smaller pictures"], ["/", "search"], ["g", "order anew"]]],
  ["One picture", [["Space", "before, after"], ["1 2 3", "after, slider, before"], ["+ −", "zoom"], ["z", "own pixels, or all of it"], ["Shift ← → ↑ ↓", "move what is zoomed; with the slider, the divider"], ["Esc", "back to the sheet"]]],
];

const setUpHelp = () => {
  const list = byId("keys");
  for (const [title, keys] of HELP) {
    const heading = make("dt", "", title);
    const empty = make("dd", "", "");
    list.append(heading, empty);
    for (const [key, does] of keys) {
      const term = make("dt");
      for (const one of key.split(" ")) term.append(make("kbd", "", one));
      list.append(term, make("dd", "", does));
    }
  }
};

const typing = (target) => target.matches?.("input[type=search], input[type=text], select, textarea");

/** Let keys do things: `actions` by what is open, "sheet" or "viewer", by the key. */
export const setUpKeys = (actions, isViewing) => {
  setUpHelp();
  const help = byId("help");
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || typing(event.target)) return;
    const open = [...document.querySelectorAll("dialog[open]")].some((dialog) => dialog.id !== "viewer");
    if (open) return;
    if (event.key === "?") {
      event.preventDefault();
      help.showModal();
      return;
    }
    const slides = event.target.matches?.("input[type=range], input[type=color]");
    if (slides && /^(Arrow|Home|End|Page)/.test(event.key)) return;
    // Enter and Space belong to a button that has the focus, but for those that keys move from.
    const presses = event.target.matches?.("button, summary") && ["Enter", " "].includes(event.key);
    if (presses && !(isViewing() && event.key === " ")) return;
    const name = event.shiftKey && event.key.startsWith("Arrow") ? `Shift+${event.key}` : event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = actions[isViewing() ? "viewer" : "sheet"][name];
    if (!action) return;
    event.preventDefault();
    action();
  });
  // A button is pressed by Space when it is let go of: in the viewer Space is taken.
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && isViewing() && event.target.matches?.("#viewer button")) event.preventDefault();
  });
  byId("help-open").addEventListener("click", () => help.showModal());
};
