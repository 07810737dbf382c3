// Puts the page together: what is chosen, the sheet, the viewer, verdicts, and how the ledger stands.
import { setUpBackdrop, turnBackdrop } from "./backdrop.js";
import { choice, onChoice, setUpChoice, showCounts } from "./choice.js";
import { byId, count, make, tell } from "./dom.js";
import { Grid } from "./grid.js";
import { setUpKeys } from "./keys.js";
import { Rows } from "./rows.js";
import { redoRejected } from "./redo.js";
import { get } from "./server.js";
import { ask, askWhy, complain, give, giveAll, setUpRejecting } from "./verdicts.js";
import { Viewer } from "./viewer.js";

const LOOK_EVERY_MS = 2500;

const rows = new Rows(() => {
  grid.render(false);
  describe();
});
const grid = new Grid(rows, () => describe());
const viewer = new Viewer(rows);

let standing = { version: -1, looked: 0, results: 0, problem: "" };
let chosenAt = { version: -1, looked: 0 };
let counts = {};
let mayRedo = false;
let isTouched = false; // somebody has begun with what is shown

// -- what is shown ---------------------------------------------------------------------------------------------------

const choose = async (place = 0, isWanted = () => true) => {
  try {
    const found = await get("/api/view", choice());
    if (!isWanted()) return; // any more
    isTouched = false;
    counts = found.counts;
    chosenAt = { version: standing.version, looked: standing.looked };
    rows.show(found.view, found.total);
    showCounts(counts);
    grid.begin(place);
    const nothing = byId("nothing");
    nothing.hidden = found.total > 0;
    nothing.textContent = counts.all || choice().group ? "Nothing matches." : "There are no results yet.";
    describe();
  } catch (error) {
    complain(error);
  }
};

const describe = () => {
  const row = rows.at(grid.current);
  const box = byId("current");
  box.replaceChildren();
  if (rows.total && row) {
    box.append(make("span", "", `${count(grid.current + 1)} · ${row.file}`));
    const said = row.verdict ? `${row.verdict}${row.reason ? `: ${row.reason}` : ""}` : row.signs.map((sign) => sign.words).join(", ");
    if (said) box.append(make("span", row.verdict ? "" : "sign", ` — ${said}`));
  }
  for (const id of ["accept", "reject"]) byId(id).disabled = !row?.hasResult;
  byId("undo").disabled = !row?.verdict;
  byId("open").disabled = !row;
  byId("next").disabled = !rows.total;
  if (viewer.isOpen) viewer.describe();
  showStanding();
};

const showStanding = () => {
  const parts = [`${count(rows.total)} shown`];
  if (standing.looked < standing.results) parts.push(`${count(standing.looked)} of ${count(standing.results)} looked at`);
  if (standing.problem) parts.push(`the ledger cannot be read now: ${standing.problem}`);
  const text = parts.join(" · ");
  if (byId("status").textContent !== text) byId("status").textContent = text;
  const isOld = chosenAt.version !== standing.version || (choice().order === "suspicion" && chosenAt.looked !== standing.looked);
  byId("refresh").hidden = !isOld;
  const rest = byId("accept-rest");
  rest.hidden = !(rows.total && counts.undecided);
  rest.textContent = "Accept all undecided…";
  byId("redo").hidden = !(mayRedo && counts.rejected);
};

// -- verdicts --------------------------------------------------------------------------------------------------------

const here = () => (viewer.isOpen ? viewer.place : grid.current);

const go = (place) => {
  if (viewer.isOpen) viewer.show(place);
  else grid.move(place);
};

const isBusy = new Set();

const decide = async (verdict, reason = "", place = here()) => {
  const row = rows.at(place);
  if (!row?.hasResult || isBusy.has(row.id)) return;
  isTouched = true;
  isBusy.add(row.id);
  try {
    const changed = await give(row, verdict, reason);
    rows.put(changed);
    counts[row.group] -= 1;
    counts[changed.group] += 1;
    showCounts(counts);
    grid.render(false);
    describe();
  } catch (error) {
    complain(error);
    return;
  } finally {
    isBusy.delete(row.id);
  }
  if (verdict !== "undecided" && here() === place) await next();
};

const reject = () => {
  const place = here(); // what was asked about is what is rejected, wherever one is when it is answered
  const row = rows.at(place);
  if (!row?.hasResult) return;
  isTouched = true;
  askWhy(row, (reason) => decide("rejected", reason, place));
};

const next = async () => {
  if (!rows.total) return;
  try {
    const { place } = await get("/api/next", { view: rows.view, after: here() });
    if (place === null) tell("Everything that is shown is decided.");
    else go(place);
  } catch (error) {
    complain(error);
  }
};

const acceptRest = async () => {
  const { undecided } = counts;
  const sure = await ask("Accept all undecided?", `${count(undecided)} results of those that are shown have no verdict yet. They are all accepted.`, `Accept ${count(undecided)}`);
  if (!sure) return;
  try {
    tell("Accepting…", 0);
    const { number } = await giveAll(rows.view, "accepted");
    tell(`${count(number)} accepted.`);
    await choose(grid.current);
  } catch (error) {
    complain(error);
  }
};

// -- how the ledger stands -------------------------------------------------------------------------------------------

const isAtStart = () => !isTouched && grid.current === 0 && grid.scroller.scrollTop === 0 && !document.querySelector("dialog[open]");

const look = async () => {
  try {
    const before = standing;
    standing = await get("/api/standing");
    const changed = before.version !== standing.version || before.looked !== standing.looked;
    if (changed && before.version >= 0) {
      if (isAtStart()) await choose(0, isAtStart);
      else await rows.refresh(...grid.range());
    }
    showStanding();
  } catch (error) {
    if (error.status === 0) standing.problem = error.message;
    showStanding();
  } finally {
    setTimeout(look, document.hidden ? LOOK_EVERY_MS * 8 : LOOK_EVERY_MS);
  }
};

// -- beginning -------------------------------------------------------------------------------------------------------

const setUpButtons = () => {
  const on = (id, work) => byId(id).addEventListener("click", work);
  for (const prefix of ["", "viewer-"]) {
    on(`${prefix}accept`, () => decide("accepted"));
    on(`${prefix}reject`, reject);
    on(`${prefix}undo`, () => decide("undecided"));
  }
  on("next", next);
  on("viewer-skip", next);
  on("open", () => viewer.open(grid.current));
  on("refresh", () => choose());
  on("accept-rest", acceptRest);
  on("redo", () => redoRejected().then((planned) => planned && choose(grid.current)).catch(complain));
  on("viewer-previous", () => go(here() - 1));
  on("viewer-next", () => go(here() + 1));
  on("viewer-close", () => viewer.close());
  viewer.onMove = (place) => grid.move(place);
  grid.onOpen = () => rows.total && viewer.open(grid.current);
  byId("viewer").addEventListener("close", () => byId("grid").focus({ preventScroll: true }));
};

const keys = () => {
  const shared = { a: () => decide("accepted"), r: reject, u: () => decide("undecided"), n: next, b: turnBackdrop, d: () => byId("redo").hidden || byId("redo").click(), ArrowLeft: () => go(here() - 1), ArrowRight: () => go(here() + 1) };
  const open = () => grid.onOpen();
  const step = 60;
  const aside = (x, y) => () => (viewer.mode === "slider" && !viewer.scale && x ? viewer.setAt(viewer.at - Math.sign(x) * 2) : viewer.pan(x, y));
  return {
    sheet: {
      ...shared,
      ArrowUp: () => grid.move(grid.current - grid.columns),
      ArrowDown: () => grid.move(grid.current + grid.columns),
      Home: () => grid.move(0),
      End: () => grid.move(rows.total - 1),
      PageUp: () => grid.move(grid.current - grid.page),
      PageDown: () => grid.move(grid.current + grid.page),
      Enter: open,
      " ": open,
      "+": () => grid.setDensity(grid.density + 1),
      "=": () => grid.setDensity(grid.density + 1),
      "-": () => grid.setDensity(grid.density - 1),
      "/": () => byId("text").focus(),
      g: () => choose(),
    },
    viewer: {
      ...shared,
      " ": () => viewer.flip(),
      1: () => viewer.setMode("after"),
      2: () => viewer.setMode("slider"),
      3: () => viewer.setMode("before"),
      "+": () => viewer.zoom(1.25),
      "=": () => viewer.zoom(1.25),
      "-": () => viewer.zoom(1 / 1.25),
      z: () => viewer.toggleFit(),
      0: () => viewer.scale && viewer.toggleFit(),
      "Shift+ArrowLeft": aside(step, 0),
      "Shift+ArrowRight": aside(-step, 0),
      "Shift+ArrowUp": aside(0, step),
      "Shift+ArrowDown": aside(0, -step),
    },
  };
};

const begin = async () => {
  try {
    const about = await get("/api/about");
    byId("ledger").textContent = about.ledger;
    byId("rehearsal").hidden = !about.rehearsal;
    mayRedo = about.redo;
    setUpBackdrop();
    setUpChoice(about);
    setUpRejecting();
    setUpButtons();
    setUpKeys(keys(), () => viewer.isOpen);
    onChoice(() => choose());
    standing = await get("/api/standing");
    rows.onForgotten = () => choose(grid.current);
    await choose();
    byId("grid").focus({ preventScroll: true });
    setTimeout(look, LOOK_EVERY_MS);
  } catch (error) {
    byId("nothing").hidden = false;
    byId("nothing").textContent = error.message;
  }
};

begin();
