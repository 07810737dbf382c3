// What is chosen: it stands in the address, so that it survives a reload and can be kept as a bookmark.
import { byId, count, later, make } from "./dom.js";

const GROUPS = [["", "All"], ["undecided", "Undecided"], ["accepted", "Accepted"], ["rejected", "Rejected"], ["failed", "Failed"], ["waiting", "Waiting"]];
const SELECTS = ["sign", "folder", "background", "misfit", "remark", "size", "state"];
const NAMES = ["group", "text", "order", ...SELECTS];
const DEFAULTS = { order: "suspicion" };

const SIGNS = { hole: "Hole in the product", island: "Stray piece", cut: "Cut off at the edge", halo: "Halo", empty: "Nearly empty", untouched: "Nearly untouched" };
const MISFITS = { fits: "Fits", stretched: "Stretched", cropped: "Cropped", enlarged: "Enlarged, blurred" };
const SIZES = { small: "Below 1 megapixel", medium: "1 to 6 megapixels", large: "6 megapixels and more" };

const wanted = Object.fromEntries(NAMES.map((name) => [name, DEFAULTS[name] || ""]));
const heard = [];

export const choice = () => ({ ...wanted });

/** Be told when something else is chosen. */
export const onChoice = (listener) => heard.push(listener);

const fill = (name, entries) => {
  const box = byId(name);
  const options = entries.map(([value, text]) => {
    const option = make("option", "", text);
    option.value = value;
    return option;
  });
  box.replaceChildren(...options);
  if (wanted[name] && !entries.some(([value]) => value === wanted[name])) {
    const option = make("option", "", wanted[name]);
    option.value = wanted[name];
    box.append(option);
  }
  box.value = wanted[name];
};

const write = () => {
  const asked = new URLSearchParams();
  for (const name of NAMES) if (wanted[name] && wanted[name] !== DEFAULTS[name]) asked.set(name, wanted[name]);
  const query = asked.toString();
  history.replaceState(null, "", query ? `/?${query}` : "/");
};

const show = () => {
  for (const button of byId("groups").children) button.setAttribute("aria-pressed", String(button.dataset.group === wanted.group));
  const used = SELECTS.filter((name) => wanted[name]).length;
  byId("more-count").textContent = used ? ` (${used})` : "";
};

const change = (changed) => {
  Object.assign(wanted, changed);
  write();
  show();
  for (const listener of heard) listener();
};

export const showCounts = (counts) => {
  for (const button of byId("groups").children) {
    const number = counts[button.dataset.group || "all"] || 0;
    button.querySelector(".count").textContent = count(number);
    button.hidden = !number && ["failed", "waiting"].includes(button.dataset.group) && wanted.group !== button.dataset.group;
  }
};

export const setUpChoice = (about) => {
  const address = new URLSearchParams(location.search);
  for (const name of NAMES) if (address.get(name)) wanted[name] = address.get(name);
  write(); // the secret of the address has done its work: it stands in no history
  for (const [group, text] of GROUPS) {
    const button = make("button", group);
    button.type = "button";
    button.dataset.group = group;
    if (group) button.append(make("i"));
    button.append(make("span", "", text), make("span", "count", "0"));
    button.addEventListener("click", () => change({ group }));
    byId("groups").append(button);
  }
  const { facets } = about;
  const each = (values) => values.map((value) => [value, value]);
  fill("sign", [["", "Any"], ...about.kinds.map((kind) => [kind, SIGNS[kind] || kind])]);
  fill("folder", [["", "All folders"], ...each(facets.folders)]);
  fill("background", [["", "Any"], ...facets.backgrounds.map((path) => [path, path === "-" ? "None, transparent" : path])]);
  fill("misfit", [["", "Any"], ...Object.entries(MISFITS)]);
  fill("remark", [["", "Any"], ["*", "With a remark"], ...each(facets.remarks)]);
  fill("size", [["", "Any"], ...Object.entries(SIZES)]);
  fill("state", [["", "Any"], ...each(facets.states)]);
  for (const name of [...SELECTS, "order"]) {
    byId(name).value = wanted[name];
    byId(name).addEventListener("change", () => change({ [name]: byId(name).value }));
  }
  byId("text").value = wanted.text;
  byId("text").addEventListener("input", later(() => change({ text: byId("text").value.trim() }), 200));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => {
    const cleared = Object.fromEntries(SELECTS.map((name) => [name, ""]));
    for (const name of SELECTS) byId(name).value = "";
    change(cleared);
  });
  byId("more").open = SELECTS.some((name) => wanted[name]);
  show();
};
