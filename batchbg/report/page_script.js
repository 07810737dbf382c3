"use strict";
// Text from the ledger reaches the page through textContent and properties only, never as markup.
(() => {
  const PAGE = 24;
  const SHEET = 600; // on a contact sheet, at most
  const byId = (id) => document.getElementById(id);
  const meta = JSON.parse(byId("meta").textContent);
  const at = Object.fromEntries(meta.fields.map((name, index) => [name, index]));
  const thumbs = {};
  for (const block of document.querySelectorAll("script.thumbs")) {
    Object.assign(thumbs, JSON.parse(block.textContent));
    block.remove(); // the parsed form is enough
  }
  let rows = [];
  for (const chunk of document.querySelectorAll("script.rows")) {
    rows = rows.concat(JSON.parse(chunk.textContent));
    chunk.remove(); // the parsed form is enough
  }
  const get = (row, name) => row[at[name]];
  /** What is shown; kept in the address, so that it is the same after a reload or for whoever is sent it. */
  const wanted = { state: "", folder: "", background: "", remark: "", text: "", order: "newest", view: "both" };
  let isSheet = false; // a contact sheet is being printed
  const count = (number) => number.toLocaleString("en");

  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // -- pictures ----------------------------------------------------------------------------------------------------

  /** Return an <img>, or a placeholder that says why there is none. `large` prefers the file to its thumbnail. */
  const picture = (key, href, note, alt, className, large) => {
    const small = key ? thumbs[key] : undefined;
    const sources = (large ? [href, small] : [small, href]).filter(Boolean);
    const isTried = sources.length > 0;
    const hole = () => {
      const element = make("div", `hole ${className}`, note || (isTried ? "its file is not where it was when this page was written" : "no preview of this format"));
      element.setAttribute("role", "img");
      element.setAttribute("aria-label", `${alt}: ${element.textContent}`);
      return element;
    };
    if (!sources.length) return hole();
    const image = make("img", className);
    image.alt = alt;
    image.decoding = "async";
    image.loading = isSheet ? "eager" : "lazy";
    image.draggable = false;
    image.addEventListener("error", () => {
      sources.shift();
      if (sources.length) image.src = sources[0];
      else image.replaceWith(hole());
    });
    image.src = sources[0];
    return image;
  };

  /** Return a frame with before and after on top of each other, and a slider between them; or with the result alone. */
  const compare = (row, large) => {
    const name = get(row, "file");
    const frame = make("div", "frame");
    const width = get(row, "width"), height = get(row, "height");
    const pair = make("div", "pair");
    pair.style.aspectRatio = `${width} / ${height}`;
    if (large) fit(pair, width, height);
    else pair.classList.add(width >= height ? "wide" : "tall");
    const before = picture(get(row, "photoKey"), get(row, "photo"), get(row, "photoNote"), `Before: ${name}`, "before", large);
    const hasAfter = get(row, "resultKey") || get(row, "result");
    if (!hasAfter) {
      before.classList.remove("before");
      pair.append(before);
      if (get(row, "state") === "done") pair.append(make("span", "tag left", `Before; result ${get(row, "resultNote")}`));
      else pair.append(make("span", "tag left", "Before"));
      frame.append(pair);
      return frame;
    }
    if (wanted.view === "after") {
      pair.append(picture(get(row, "resultKey"), get(row, "result"), get(row, "resultNote"), `After: ${name}`, "", large));
      frame.append(pair);
      return frame;
    }
    const after = picture(get(row, "resultKey"), get(row, "result"), get(row, "resultNote"), `After: ${name}`, "after", large);
    const slider = make("input");
    slider.type = "range";
    slider.min = 0;
    slider.max = 100;
    slider.value = 50;
    slider.setAttribute("aria-label", `Before and after of ${name}`);
    const move = () => {
      pair.style.setProperty("--at", `${slider.value}%`);
      slider.setAttribute("aria-valuetext", `${slider.value} % before, ${100 - slider.value} % after`);
      left.hidden = slider.value < 12;
      right.hidden = slider.value > 88;
    };
    const left = make("span", "tag left", "Before"), right = make("span", "tag right", "After");
    slider.addEventListener("input", move);
    pair.append(after, before, make("span", "line"), left, right, slider);
    move();
    frame.append(pair);
    return frame;
  };

  /** Size a picture to the viewer's frame, which no aspect ratio of its own holds. */
  const fit = (pair, width, height) => {
    const room = { width: Math.min(window.innerWidth * 0.96, 1088) - 20, height: Math.min(window.innerHeight * (window.innerWidth < 704 ? 0.5 : 0.64), 736) - 20 };
    const scale = Math.min(room.width / width, room.height / height);
    pair.style.width = `${Math.round(width * scale)}px`;
  };

  // -- cards -------------------------------------------------------------------------------------------------------

  const card = (row, position) => {
    const item = make("li", "card");
    item.append(compare(row, false));
    const caption = make("div", "caption");
    const title = make("h3");
    const open = make("button", "open-viewer", get(row, "file"));
    open.type = "button";
    open.title = "Show it large";
    open.addEventListener("click", () => view(position));
    title.append(open);
    caption.append(title);
    if (get(row, "folder")) caption.append(make("p", "where", get(row, "folder")));
    const badges = make("p", "badges");
    badges.append(make("span", `badge ${get(row, "state")}`, get(row, "state")));
    if (get(row, "verdict")) badges.append(make("span", `badge verdict-${get(row, "verdict")}`, get(row, "verdict")));
    if (get(row, "copyOf")) badges.append(make("span", "badge copy-of", "copy, not charged"));
    caption.append(badges);
    if (get(row, "copyOf")) caption.append(make("p", "remark", `Same content as ${get(row, "copyOf")} (job ${get(row, "id")})`));
    const on = make("p", "on");
    if (get(row, "background")) {
      const swatch = thumbs[get(row, "backgroundKey")];
      if (swatch) {
        const image = make("img");
        image.src = swatch;
        image.alt = "";
        on.append(image);
      }
      on.append(make("span", "path", `${get(row, "background")}, ${get(row, "fit")}`));
      caption.append(on);
    } else {
      on.append(make("span", "", "Transparent, no background"));
      caption.append(on);
    }
    if (get(row, "verdictReason")) caption.append(make("p", "remark", `${get(row, "verdict")}: ${get(row, "verdictReason")}`));
    if (get(row, "error")) caption.append(make("p", "bad-text", get(row, "error")));
    if (get(row, "remark")) caption.append(make("p", "remark", get(row, "remark")));
    item.append(caption);
    return item;
  };

  // -- filters -----------------------------------------------------------------------------------------------------

  const lower = rows.map((row) =>
    ["file", "folder", "background", "output", "id", "project", "error", "remark", "copyOf", "name", "verdict", "verdictReason"].map((name) => get(row, name)).join("\n").toLowerCase());
  let shown = [];
  let page = 0;

  const TRANSPARENT = "transparent";
  const remarks = {
    with: (row) => get(row, "remark") || get(row, "error"),
    without: (row) => !get(row, "remark") && !get(row, "error"),
    accepted: (row) => get(row, "verdict") === "accepted",
    rejected: (row) => get(row, "verdict") === "rejected",
    undecided: (row) => !get(row, "verdict"),
  };
  const inFolder = (folder) => wanted.folder === "" || folder === wanted.folder || folder.startsWith(`${wanted.folder}/`);
  const orders = {
    newest: (a, b) => a - b,
    name: (a, b) => get(rows[a], "output").localeCompare(get(rows[b], "output")) || a - b,
    misfit: (a, b) => get(rows[b], "distortion") + get(rows[b], "blur") - get(rows[a], "distortion") - get(rows[a], "blur") || a - b,
  };

  const matching = (anyState) => {
    const found = [];
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index];
      if (!anyState && wanted.state && get(row, "state") !== wanted.state) continue;
      if (!inFolder(get(row, "folder"))) continue;
      if (wanted.background && (get(row, "background") || TRANSPARENT) !== wanted.background) continue;
      if (wanted.remark && !remarks[wanted.remark](row)) continue;
      if (wanted.text && !wanted.text.split(/\s+/).every((word) => lower[index].includes(word))) continue;
      found.push(index);
    }
    return found;
  };

  const showStates = () => {
    const totals = {};
    const all = matching(true);
    for (const index of all) totals[get(rows[index], "state")] = (totals[get(rows[index], "state")] || 0) + 1;
    for (const button of byId("states").children) {
      const state = button.dataset.state;
      button.querySelector(".count").textContent = count(state ? totals[state] || 0 : all.length);
      button.setAttribute("aria-pressed", String(wanted.state === state));
    }
  };

  const filter = (onPage = 0) => {
    shown = matching(false).sort(orders[wanted.order]);
    page = onPage;
    showStates();
    render();
  };

  /** Write what is shown into the address. */
  const keep = () => {
    const said = new URLSearchParams(Object.entries(wanted).filter(([name, value]) => value !== usual[name]));
    if (page) said.set("page", String(page + 1));
    const hash = String(said);
    if (hash || location.hash.includes("=")) history.replaceState(null, "", hash ? `#${hash}` : "#");
  };

  const render = () => {
    const perPage = isSheet ? SHEET : PAGE;
    const pages = Math.max(1, Math.ceil(shown.length / perPage));
    page = Math.min(Math.max(page, 0), pages - 1);
    const from = page * perPage;
    const here = shown.slice(from, from + perPage);
    if (!isSheet) keep();
    byId("cards").replaceChildren(...here.map((index, offset) => card(rows[index], from + offset)));
    byId("status").textContent = !rows.length ? "There are no photos yet."
      : !shown.length ? "Nothing matches."
      : isSheet ? `${count(here.length)} of ${count(shown.length)} photos${shown.length > here.length ? "; filter by folder to print the others" : ""}`
      : `${count(from + 1)} to ${count(from + here.length)} of ${count(shown.length)}${shown.length < rows.length ? ` (${count(rows.length)} in all)` : ""}`;
    byId("pager").hidden = pages < 2;
    byId("page-number").textContent = `Page ${count(page + 1)} of ${count(pages)}`;
    byId("previous").disabled = page === 0;
    byId("next").disabled = page === pages - 1;
  };

  const turn = (by) => {
    page += by;
    render();
    byId("gallery").scrollIntoView();
    byId("gallery").focus({ preventScroll: true });
  };

  const later = (work) => {
    let timer;
    return () => {
      clearTimeout(timer);
      timer = setTimeout(work, 120);
    };
  };

  const setUpFilters = () => {
    const present = new Set(rows.map((row) => get(row, "state")));
    for (const state of ["", ...meta.states.filter((each) => present.has(each))]) {
      const button = make("button", state);
      button.type = "button";
      button.dataset.state = state;
      if (state) button.append(make("i"));
      button.append(make("span", "", state || "all"), make("span", "count"));
      button.addEventListener("click", () => {
        wanted.state = state;
        filter();
      });
      byId("states").append(button);
    }
    const folders = new Set();
    for (const row of rows) {
      let folder = get(row, "folder");
      while (folder && !folders.has(folder)) {
        folders.add(folder);
        folder = folder.includes("/") ? folder.slice(0, folder.lastIndexOf("/")) : "";
      }
    }
    const option = (value, text) => {
      const element = make("option", "", text);
      element.value = value;
      return element;
    };
    /** Fill a list of values, and let it choose; by position, for a value with a lone surrogate would come back changed. */
    const choose = (name, all, values) => {
      const sorted = [...values].sort((a, b) => a.localeCompare(b));
      const box = byId(name);
      box.append(option("", all), ...sorted.map((value) => option(value, value)));
      if (wanted[name] && !sorted.includes(wanted[name])) wanted[name] = "";
      box.selectedIndex = wanted[name] ? sorted.indexOf(wanted[name]) + 1 : 0;
      box.addEventListener("change", () => {
        wanted[name] = box.selectedIndex > 0 ? sorted[box.selectedIndex - 1] : "";
        filter();
      });
    };
    choose("folder", "All folders", folders);
    choose("background", "All backgrounds", new Set(rows.map((row) => get(row, "background") || TRANSPARENT)));
    for (const name of ["remark", "order", "view"]) {
      const box = byId(name);
      if ([...box.options].some((each) => each.value === wanted[name])) box.value = wanted[name];
      else wanted[name] = box.value;
      box.addEventListener("change", () => {
        wanted[name] = box.value;
        filter();
      });
    }
    if (!present.has(wanted.state)) wanted.state = "";
    byId("search").value = wanted.text;
    byId("search").addEventListener("input", later(() => {
      wanted.text = byId("search").value.trim().toLowerCase();
      filter();
    }));
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("previous").addEventListener("click", () => turn(-1));
    byId("next").addEventListener("click", () => turn(1));
    byId("filters").hidden = rows.length === 0;
  };

  // -- viewer ------------------------------------------------------------------------------------------------------

  const viewer = byId("viewer");
  let viewed = 0;

  const view = (position) => {
    viewed = Math.min(Math.max(position, 0), shown.length - 1);
    const row = rows[shown[viewed]];
    byId("viewer-title").textContent = get(row, "file");
    byId("viewer-picture").replaceChildren(compare(row, true));
    const details = [
      ["State", get(row, "state")], ["Verdict", [get(row, "verdict"), get(row, "verdictReason")].filter(Boolean).join(": ")], ["Problem", get(row, "error")], ["Remark", get(row, "remark")],
      ["Copy of", get(row, "copyOf")], ["Folder", get(row, "folder")],
      ["Size", `${get(row, "width")} × ${get(row, "height")} pixels`],
      ["Background", get(row, "background") ? `${get(row, "background")}, ${get(row, "fit")}` : "none, transparent"],
      ["Result", get(row, "output") + (get(row, "resultNote") ? ` (${get(row, "resultNote")})` : "")],
      ["Credits", String(get(row, "credits"))], ["Attempts", String(get(row, "attempts"))],
      ["Job", get(row, "id")], ["Project id", get(row, "project")], ["Name in the library", get(row, "name")], ["Last changed", get(row, "when")],
    ];
    const files = [["Photo", get(row, "photo")], ["Result", get(row, "result")]].filter(([, href]) => href).map(([text, href]) => {
      const link = make("a", "", text);
      link.href = href;
      link.target = "_blank";
      link.rel = "noopener";
      return link;
    });
    if (files.length) details.splice(1, 0, ["Open", files]);
    const described = (value) => {
      const element = make("dd");
      element.append(...(Array.isArray(value) ? value.flatMap((each, number) => (number ? [" · ", each] : [each])) : [value]));
      return element;
    };
    byId("viewer-details").replaceChildren(...details.filter(([, value]) => value).flatMap(([term, value]) => [make("dt", "", term), described(value)]));
    byId("viewer-previous").disabled = viewed === 0;
    byId("viewer-next").disabled = viewed === shown.length - 1;
    if (!viewer.open) viewer.showModal();
    // A button that has just been disabled would keep the keyboard to itself.
    if (!viewer.contains(document.activeElement) || document.activeElement.disabled) byId("viewer-close").focus();
  };

  byId("viewer-previous").addEventListener("click", () => view(viewed - 1));
  byId("viewer-next").addEventListener("click", () => view(viewed + 1));
  byId("viewer-close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer) viewer.close();
  });
  viewer.addEventListener("keydown", (event) => {
    // The arrows belong to the slider while it has the focus.
    if (event.target.type === "range") return;
    if (event.key === "ArrowLeft" && viewed > 0) view(viewed - 1);
    if (event.key === "ArrowRight" && viewed < shown.length - 1) view(viewed + 1);
  });

  // -- the rest of the page ----------------------------------------------------------------------------------------

  for (const shot of document.querySelectorAll(".shot")) {
    const { thumb, href, alt, note } = shot.dataset;
    shot.append(picture(thumb, href, "", alt, "", false));
    if (!shot.querySelector("img")) shot.textContent = note;
  }

  const copied = later(() => {
    for (const button of document.querySelectorAll(".copy.said")) {
      button.classList.remove("said");
      button.textContent = "Copy";
    }
  });
  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      let done = true;
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
      } catch {
        // No clipboard from a file in this browser: mark the text, so that one key copies it.
        getSelection().selectAllChildren(button.previousElementSibling);
        done = document.execCommand("copy");
      }
      button.textContent = done ? "Copied" : "Marked";
      button.classList.add("said");
      setTimeout(copied, 1400);
    });
  }

  const older = byId("show-runs");
  if (older) {
    older.hidden = false;
    older.addEventListener("click", () => {
      byId("older-runs").hidden = false;
      older.setAttribute("aria-expanded", "true");
      older.hidden = true;
    });
  }

  // -- the address, keys, and paper ---------------------------------------------------------------------------------

  const usual = { ...wanted };
  const said = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  for (const name of Object.keys(wanted)) if (said.has(name)) wanted[name] = said.get(name);
  setUpFilters();
  filter(Number.parseInt(said.get("page"), 10) - 1 || 0);

  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, select, dialog, .scroll");
    if (isTyping || event.altKey || event.ctrlKey || event.metaKey || byId("pager").hidden) return;
    if (event.key === "ArrowLeft" && !byId("previous").disabled) turn(-1);
    if (event.key === "ArrowRight" && !byId("next").disabled) turn(1);
  });

  let before;
  window.addEventListener("beforeprint", () => {
    before = { page, view: wanted.view };
    isSheet = true;
    page = 0;
    wanted.view = "after";
    document.body.classList.add("sheet");
    render();
  });
  window.addEventListener("afterprint", () => {
    if (!before) return;
    isSheet = false;
    wanted.view = before.view;
    page = before.page;
    before = undefined;
    document.body.classList.remove("sheet");
    render();
  });
})();
