// The contact sheet: however many there are, only tiles in sight are in the page.
import { byId, make } from "./dom.js";
import { thumb } from "./server.js";

const SIZES = [64, 92, 132, 168, 240, 320, 440];
const CAPTIONED = 132;
const CAPTION = 50;
const GAP = 10;
const ROWS_AROUND = 2;
const TALLEST = 12_000_000; // pixels; browsers end somewhere above
const LOAD_AFTER_MS = 60;

export class Grid {
  constructor(rows, onMove) {
    this.rows = rows;
    this.onMove = onMove;
    this.onOpen = () => {};
    this.box = byId("grid");
    this.scroller = byId("scroller");
    this.tiles = new Map();
    this.current = 0;
    this.density = Number(localStorage.getItem("density") ?? (innerWidth < 704 ? 3 : 4));
    this.queued = false;
    this.scroller.addEventListener("scroll", () => this.queue(), { passive: true });
    new ResizeObserver(() => this.layOut()).observe(this.scroller);
    this.box.addEventListener("click", (event) => this.click(event));
    this.box.addEventListener("dblclick", () => this.onOpen());
    byId("density").value = String(this.density);
    byId("density").addEventListener("input", () => this.setDensity(Number(byId("density").value)));
  }

  setDensity(density) {
    this.density = Math.min(Math.max(density, 0), SIZES.length - 1);
    byId("density").value = String(this.density);
    localStorage.setItem("density", String(this.density));
    this.layOut();
    this.reveal();
  }

  layOut() {
    const style = getComputedStyle(this.scroller);
    const room = this.scroller.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    if (room <= 0) return;
    for (let density = this.density; density >= 0; density--) {
      const size = Math.min(SIZES[density], room);
      const gap = size < CAPTIONED ? 4 : GAP;
      this.columns = Math.max(1, Math.floor((room + gap) / (size + gap)));
      this.width = Math.floor((room - gap * (this.columns - 1)) / this.columns);
      this.height = this.width + (size < CAPTIONED ? 0 : CAPTION);
      this.gap = gap;
      this.box.classList.toggle("compact", size < CAPTIONED);
      this.lines = Math.ceil(this.rows.total / this.columns);
      if (this.lines * (this.height + gap) < TALLEST) break;
    }
    this.box.style.height = `${Math.max(0, this.lines * (this.height + this.gap) - this.gap)}px`;
    this.render(true);
  }

  /** Show another view from its beginning, or from the row that was current before. */
  begin(place = 0) {
    for (const tile of this.tiles.values()) this.drop(tile);
    this.tiles.clear();
    this.current = Math.min(place, Math.max(this.rows.total - 1, 0));
    if (!place) this.scroller.scrollTop = 0;
    this.layOut();
    this.reveal();
  }

  queue() {
    if (this.queued) return;
    this.queued = true;
    requestAnimationFrame(() => {
      this.queued = false;
      this.render(false);
    });
  }

  range() {
    const step = this.height + this.gap;
    const top = Math.floor(this.scroller.scrollTop / step) - ROWS_AROUND;
    const bottom = Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / step) + ROWS_AROUND;
    return [Math.max(0, top * this.columns), Math.min(this.rows.total, bottom * this.columns)];
  }

  render(moved) {
    if (!this.columns) return;
    const [first, end] = this.range();
    for (const [place, tile] of this.tiles) {
      if (place < first || place >= end) {
        this.drop(tile);
        this.tiles.delete(place);
      }
    }
    const fresh = [];
    for (let place = first; place < end; place++) {
      let tile = this.tiles.get(place);
      const isNew = !tile;
      if (isNew) {
        tile = this.make(place);
        this.tiles.set(place, tile);
        fresh.push(tile.element);
      }
      if (isNew || moved) this.position(tile, place);
      this.fill(tile, place);
    }
    if (fresh.length) this.box.append(...fresh);
    this.box.setAttribute("aria-activedescendant", this.tiles.has(this.current) ? `tile-${this.current}` : "");
    if (!this.tiles.has(this.current)) this.box.removeAttribute("aria-activedescendant");
  }

  make(place) {
    const element = make("div", "tile");
    element.id = `tile-${place}`;
    element.dataset.place = String(place);
    element.setAttribute("role", "option");
    element.setAttribute("aria-posinset", String(place + 1));
    element.setAttribute("aria-setsize", String(this.rows.total));
    const shot = make("div", "shot");
    const caption = make("div", "caption");
    const name = make("span", "name");
    const sign = make("span", "sign");
    caption.append(name, sign);
    element.append(shot, caption);
    return { element, shot, name, sign, row: undefined, timer: 0 };
  }

  position(tile, place) {
    const line = Math.floor(place / this.columns);
    const column = place % this.columns;
    tile.element.style.width = `${this.width}px`;
    tile.element.style.height = `${this.height}px`;
    tile.element.style.transform = `translate(${column * (this.width + this.gap)}px, ${line * (this.height + this.gap)}px)`;
  }

  drop(tile) {
    clearTimeout(tile.timer);
    const image = tile.shot.querySelector("img");
    if (image) image.src = ""; // what nobody sees any more is not fetched
    tile.element.remove();
  }

  fill(tile, place) {
    const row = this.rows.at(place);
    tile.element.setAttribute("aria-selected", String(place === this.current));
    if (!row || tile.row === row) return;
    const before = tile.row;
    tile.row = row;
    const [sign] = row.signs;
    tile.element.className = `tile ${row.group}`;
    tile.name.textContent = row.file;
    tile.element.title = row.folder ? `${row.folder}/${row.file}` : row.file;
    const said = row.reason || sign?.words || row.error || (row.looked || !row.hasResult ? row.remark || row.fits : "not looked at yet");
    tile.sign.textContent = said;
    tile.sign.classList.toggle("plain", !sign && !row.reason);
    tile.element.setAttribute("aria-label", [row.file, row.hasResult ? row.group : row.state, said].filter(Boolean).join(", "));
    if (!before || before.id !== row.id || before.key !== row.key || before.hasResult !== row.hasResult) this.picture(tile, row);
    tile.shot.querySelector(".dot")?.remove();
    tile.shot.querySelector(".flag")?.remove();
    if (sign && sign.score >= 0.4) tile.shot.append(make("span", "dot"));
    tile.shot.append(make("span", "flag", row.group === "rejected" ? "✕" : "✓"));
  }

  picture(tile, row) {
    clearTimeout(tile.timer);
    tile.shot.replaceChildren();
    if (!row.hasResult) {
      tile.shot.append(make("span", "why", row.state === "done" ? "no result here" : row.state));
      return;
    }
    tile.timer = setTimeout(() => {
      const image = make("img");
      image.alt = "";
      image.draggable = false;
      image.decoding = "async";
      image.addEventListener("error", () => {
        if (image.getAttribute("src")) image.replaceWith(make("span", "why", row.trouble || "missing on disk"));
      });
      image.src = thumb(row);
      tile.shot.prepend(image);
    }, LOAD_AFTER_MS);
  }

  click(event) {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    const place = Number(tile.dataset.place);
    // A finger has no double click worth the name: what is current already is opened.
    if (place === this.current && matchMedia("(pointer: coarse)").matches) this.onOpen();
    else this.move(place);
  }

  move(place) {
    if (!this.rows.total) return;
    this.current = Math.min(Math.max(place, 0), this.rows.total - 1);
    this.reveal();
    this.onMove(this.current);
  }

  /** Scroll so far that the current tile is seen whole. */
  reveal() {
    if (!this.columns) return;
    const top = Math.floor(this.current / this.columns) * (this.height + this.gap);
    const bottom = top + this.height;
    const { scrollTop, clientHeight } = this.scroller;
    const margin = 16;
    if (top < scrollTop) this.scroller.scrollTop = Math.max(0, top - margin);
    else if (bottom + margin * 2 > scrollTop + clientHeight) this.scroller.scrollTop = bottom + margin * 2 - clientHeight;
    this.render(false);
  }

  get page() {
    return Math.max(1, Math.floor(this.scroller.clientHeight / (this.height + this.gap))) * this.columns;
  }
}
