// Text from the ledger reaches the page through textContent and properties only, never as markup.

export const byId = (id) => document.getElementById(id);

export const make = (tag, className = "", text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};

export const count = (number) => number.toLocaleString("en");

/** Return a function that does its work once, some milliseconds after it was last called. */
export const later = (work, ms = 120) => {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), ms);
  };
};

let silence;

/** Say something that a person should know, for some seconds. */
export const tell = (text, seconds = 4) => {
  const told = byId("told");
  // What is modal covers the rest of the page: the word has to stand in it.
  (document.querySelector("dialog[open]") || document.body).append(told);
  told.textContent = text;
  told.hidden = !text;
  clearTimeout(silence);
  if (text && seconds) silence = setTimeout(() => { told.hidden = true; }, seconds * 1000);
};

export const wait = (ms) => new Promise((done) => { setTimeout(done, ms); });
