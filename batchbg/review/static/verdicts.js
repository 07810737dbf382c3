// Accepting, rejecting with a reason, and neither.
import { byId, make, tell } from "./dom.js";
import { post } from "./server.js";

const USUAL = ["hole in the product", "stray piece left", "product cut off", "halo around the product", "too much is missing", "wrong background", "colours are off"];

let rejected = () => {};

/** Give a row a verdict; return the row as it is then. */
export const give = async (row, verdict, reason = "") => {
  const { row: changed } = await post("/api/verdict", { job: row.id, place: row.place, verdict, reason });
  return changed;
};

export const giveAll = (view, verdict) => post("/api/verdicts", { view, verdict });

/** Ask why a row is rejected; the first reason is what was seen, so that Enter alone does. */
export const askWhy = (row, done) => {
  const seen = row.signs.map((sign) => sign.words);
  const reasons = [...seen, ...USUAL].slice(0, 9);
  byId("rejecting-name").textContent = row.folder ? `${row.folder}/${row.file}` : row.file;
  byId("reasons").replaceChildren(...reasons.map((text, index) => {
    const item = make("li");
    const button = make("button", index < seen.length ? "seen" : "");
    button.type = "button";
    button.append(make("kbd", "", String(index + 1)), make("span", "", text));
    button.addEventListener("click", () => finish(text));
    item.append(button);
    return item;
  }));
  const input = byId("reason");
  input.value = row.verdict === "rejected" ? row.reason : "";
  input.placeholder = seen[0] || "";
  rejected = (text) => done(text || input.value.trim() || seen[0] || "");
  byId("rejecting").showModal();
  input.focus();
};

const finish = (text) => {
  byId("rejecting").close();
  rejected(text);
};

export const setUpRejecting = () => {
  byId("rejecting-form").addEventListener("submit", (event) => {
    event.preventDefault();
    finish("");
  });
  byId("rejecting-close").addEventListener("click", () => byId("rejecting").close());
  byId("rejecting").addEventListener("keydown", (event) => {
    // A digit chooses where nothing is typed; in the middle of a text it is a digit.
    if (!/^[1-9]$/.test(event.key) || byId("reason").value || event.ctrlKey || event.altKey || event.metaKey) return;
    const button = byId("reasons").children[Number(event.key) - 1]?.firstChild;
    if (!button) return;
    event.preventDefault();
    button.click();
  });
};

/** Ask a question, of one line or several; return whether the answer is yes. Without a `yes` it only tells. */
export const ask = (title, text, yes) => new Promise((answered) => {
  const dialog = byId("asking");
  byId("asking-title").textContent = title;
  byId("asking-text").replaceChildren(...[text].flat().map((line) => make("span", "row", line)));
  byId("asking-yes").textContent = yes || "Well";
  byId("asking-no").hidden = !yes;
  dialog.returnValue = "";
  dialog.addEventListener("close", () => answered(dialog.returnValue === "yes"), { once: true });
  dialog.showModal();
  byId("asking-yes").focus();
});

export const complain = (error) => tell(error.message, 8);
