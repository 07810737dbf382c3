// What is behind transparent results: one choice for the sheet and the viewer.
import { byId, make } from "./dom.js";

const KINDS = ["check", "white", "black", "any"];
const NAMES = { check: "Checkerboard", white: "White", black: "Black", any: "Any colour" };
const SHEETS = ["grid", "stage"];

let kind = localStorage.getItem("backdrop") || "check";

const show = () => {
  for (const id of SHEETS) {
    const sheet = byId(id);
    const box = id === "grid" ? sheet : sheet.querySelector(".sheet");
    for (const each of KINDS) box.classList.toggle(`behind-${each}`, each === kind);
  }
  for (const button of document.querySelectorAll(".backdrops button")) button.setAttribute("aria-pressed", String(button.dataset.kind === kind));
};

const set = (wanted) => {
  kind = KINDS.includes(wanted) ? wanted : "check";
  localStorage.setItem("backdrop", kind);
  show();
};

export const turnBackdrop = () => set(KINDS[(KINDS.indexOf(kind) + 1) % KINDS.length]);

export const setUpBackdrop = () => {
  const colour = localStorage.getItem("colour");
  if (/^#[0-9a-f]{6}$/.test(colour || "")) document.documentElement.style.setProperty("--any", colour);
  for (const id of ["backdrops", "viewer-backdrops"]) {
    for (const each of KINDS) {
      const button = make("button", `on-${each}`);
      button.type = "button";
      button.dataset.kind = each;
      button.title = NAMES[each];
      button.setAttribute("aria-label", NAMES[each]);
      button.addEventListener("click", () => set(each));
      byId(id).append(button);
    }
    const input = make("input");
    input.type = "color";
    input.title = "Choose a colour";
    input.setAttribute("aria-label", "Choose a colour");
    input.value = /^#[0-9a-f]{6}$/.test(colour || "") ? colour : "#c8d4e0";
    input.addEventListener("input", () => {
      document.documentElement.style.setProperty("--any", input.value);
      localStorage.setItem("colour", input.value);
      set("any");
    });
    byId(id).append(input);
  }
  show();
};
