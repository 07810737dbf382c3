// One picture: after, before, or both with a divider; zoom and pan down to its pixels.
import { byId, count, make } from "./dom.js";
import { picture, thumb } from "./server.js";

const MODES = [["after", "After", "1"], ["slider", "Slider", "2"], ["before", "Before", "3"]];
const MOST_SCALE = 16;
const STEP = 1.25;

export class Viewer {
  constructor(rows) {
    this.rows = rows;
    this.place = 0;
    this.row = undefined;
    this.drawn = "";
    this.mode = localStorage.getItem("mode") || "after";
    this.at = 50;
    this.scale = 0; // 0 fits the window
    this.left = 0;
    this.top = 0;
    this.onMove = () => {};
    this.dialog = byId("viewer");
    this.stage = byId("stage");
    this.sheet = byId("sheet");
    for (const [mode, text, key] of MODES) {
      const button = make("button", "", text);
      button.type = "button";
      button.dataset.mode = mode;
      button.append(make("kbd", "", key));
      button.setAttribute("aria-keyshortcuts", key);
      button.addEventListener("click", () => this.setMode(mode));
      byId("modes").append(button);
    }
    byId("slider").addEventListener("input", () => this.setAt(Number(byId("slider").value)));
    byId("zoom-in").addEventListener("click", () => this.zoom(STEP));
    byId("zoom-out").addEventListener("click", () => this.zoom(1 / STEP));
    byId("zoom-fit").addEventListener("click", () => this.toggleFit());
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.stage.addEventListener("dblclick", (event) => this.toggleFit(this.where(event)));
    this.drag();
    new ResizeObserver(() => this.draw()).observe(this.stage);
  }

  get isOpen() {
    return this.dialog.open;
  }

  open(place) {
    if (!this.dialog.open) this.dialog.showModal();
    this.show(place);
    this.stage.focus({ preventScroll: true }); // on no button: Enter alone decides nothing
  }

  close() {
    this.dialog.close();
  }

  async show(place) {
    this.place = Math.min(Math.max(place, 0), this.rows.total - 1);
    this.onMove(this.place);
    const row = this.rows.at(this.place) || (await this.rows.whole(this.place));
    if (!row || row.place !== this.place) return undefined;
    this.row = row;
    this.describe();
    if (this.drawn === `${row.id} ${row.key}`) return this.draw();
    this.drawn = `${row.id} ${row.key}`;
    this.scale = 0;
    this.shown = { width: row.width, height: row.height };
    this.pictures();
    this.draw();
    const following = this.rows.at(this.place + 1);
    if (following?.hasResult) new Image().src = picture(following, "result");
    return undefined;
  }

  /** Show what has changed about the picture that is shown. */
  describe() {
    const row = this.rows.at(this.place) || this.row;
    if (!row) return;
    this.row = row;
    byId("viewer-title").textContent = row.folder ? `${row.folder}/${row.file}` : row.file;
    byId("viewer-place").textContent = `${count(this.place + 1)} of ${count(this.rows.total)}`;
    byId("viewer-previous").disabled = this.place === 0;
    byId("viewer-next").disabled = this.place >= this.rows.total - 1;
    const signs = row.signs.map((sign) => make("li", "", sign.words));
    if (row.verdict) signs.unshift(make("li", row.verdict, row.reason ? `${row.verdict}: ${row.reason}` : row.verdict));
    if (row.trouble) signs.push(make("li", "", row.trouble));
    if (row.hasResult && row.looked && !row.signs.length && !row.trouble) signs.push(make("li", "plain", row.untold ? `signs cannot be told: ${row.untold}` : "no sign of a bad cut-out"));
    if (row.hasResult && !row.looked) signs.push(make("li", "plain", "not looked at yet"));
    byId("signs").replaceChildren(...signs);
    const details = [
      ["State", row.state], ["Problem", row.error], ["Remark", row.remark],
      ["Background", row.background ? [row.background, row.fits].filter(Boolean).join(", ") : "none, transparent"],
      ["Size", `${row.width} × ${row.height}`], ["Result", row.output], ["Job", row.id],
    ];
    byId("details").replaceChildren(...details.filter(([, value]) => value).map(([term, value]) => {
      const pair = make("div");
      pair.append(make("dt", "", term), make("dd", "", value));
      return pair;
    }));
    for (const [name, is] of [["accept", "accepted"], ["reject", "rejected"]]) byId(`viewer-${name}`).disabled = !row.hasResult;
    byId("viewer-undo").disabled = !row.verdict;
  }

  pictures() {
    const row = this.row;
    this.sheet.replaceChildren();
    byId("hole").hidden = true;
    if (!row.hasResult && !row.hasPhoto) return this.hole("there is no picture");
    this.after = this.layer(row.hasResult ? picture(row, "result") : "", "after", row.hasResult ? thumb(row) : "");
    this.before = this.layer(row.hasPhoto ? picture(row, "photo") : "", "before", "");
    this.setMode(this.mode, false);
    return undefined;
  }

  layer(address, name, small) {
    const image = make("img", name);
    image.alt = name === "after" ? `Result of ${this.row.file}` : `Photo ${this.row.file}`;
    image.draggable = false;
    if (!address) {
      image.alt = "";
      image.hidden = true;
    } else {
      image.addEventListener("load", () => {
        if (name === "after" && !image.dataset.small) this.size(image);
      });
      image.addEventListener("error", () => {
        if (name === "after" && image.dataset.small === undefined) this.hole(this.row?.trouble || "the result is missing on disk");
      });
      if (small) {
        // The thumbnail stands in until the whole picture is there.
        image.dataset.small = "1";
        image.src = small;
        const whole = new Image();
        whole.onload = () => {
          delete image.dataset.small;
          image.src = address;
        };
        whole.onerror = () => this.hole("the result is missing on disk, or cannot be read");
        whole.src = address;
      } else {
        image.src = address;
      }
    }
    this.sheet.append(image);
    return image;
  }

  /** A result may have another size than its photo: its own is what its pixels are. */
  size(image) {
    if (!image.isConnected || !image.naturalWidth) return;
    const shrunk = Math.max(image.naturalWidth, image.naturalHeight) < Math.max(this.row.width, this.row.height) * 0.75;
    if (shrunk) return;
    this.shown = { width: image.naturalWidth, height: image.naturalHeight };
    this.draw();
  }

  hole(text) {
    byId("hole").textContent = text;
    byId("hole").hidden = false;
  }

  setMode(mode, keep = true) {
    const row = this.row;
    this.mode = mode;
    if (keep) localStorage.setItem("mode", mode);
    for (const button of byId("modes").children) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    const both = mode === "slider" && row?.hasPhoto && row?.hasResult;
    byId("slider-label").hidden = !both;
    byId("divider").hidden = !both;
    if (this.after && row) {
      this.after.hidden = !row.hasResult || (mode === "before" && row.hasPhoto);
      this.before.hidden = !row.hasPhoto || (mode === "after" && row.hasResult);
    }
    this.draw();
  }

  /** Show the other of before and after, for who compares with one key. */
  flip() {
    this.setMode(this.mode === "before" ? "after" : "before", false);
  }

  setAt(at) {
    this.at = Math.min(Math.max(at, 0), 100);
    byId("slider").value = String(Math.round(this.at));
    byId("slider").setAttribute("aria-valuetext", `${Math.round(this.at)} % before, ${100 - Math.round(this.at)} % after`);
    this.draw();
  }

  // -- zoom and pan --------------------------------------------------------------------------------------------------

  get fitting() {
    const { width, height } = this.shown || { width: 1, height: 1 };
    const room = { width: this.stage.clientWidth - 24, height: this.stage.clientHeight - 24 };
    return Math.max(0.001, Math.min(room.width / width, room.height / height, 4));
  }

  draw() {
    if (!this.row || !this.shown || !this.dialog.open) return;
    const { width, height } = this.shown;
    const room = { width: this.stage.clientWidth, height: this.stage.clientHeight };
    const scale = this.scale || this.fitting;
    const wide = width * scale;
    const tall = height * scale;
    const held = (value, size, space) => (size <= space ? (space - size) / 2 : Math.min(40, Math.max(space - size - 40, value)));
    this.left = held(this.scale ? this.left : 0, wide, room.width);
    this.top = held(this.scale ? this.top : 0, tall, room.height);
    Object.assign(this.sheet.style, { width: `${wide}px`, height: `${tall}px`, transform: `translate(${this.left}px, ${this.top}px)` });
    this.sheet.classList.toggle("pixels", scale * devicePixelRatio >= 2);
    byId("zoom").textContent = this.scale ? `${Math.round(scale * devicePixelRatio * 100)} %` : "Fit";
    const both = this.mode === "slider" && !byId("divider").hidden;
    if (this.after) {
      this.after.style.clipPath = both ? `inset(0 0 0 ${this.at}%)` : "";
      this.before.style.clipPath = both ? `inset(0 ${100 - this.at}% 0 0)` : "";
    }
    byId("divider").style.left = `${this.left + (wide * this.at) / 100}px`;
  }

  where(event) {
    const box = this.stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  zoom(factor, around) {
    const at = around || { x: this.stage.clientWidth / 2, y: this.stage.clientHeight / 2 };
    const before = this.scale || this.fitting;
    const after = Math.min(Math.max(before * factor, this.fitting), MOST_SCALE);
    this.left = at.x - ((at.x - this.left) * after) / before;
    this.top = at.y - ((at.y - this.top) * after) / before;
    this.scale = after <= this.fitting * 1.001 ? 0 : after;
    this.draw();
  }

  /** Between the whole picture and its own pixels. */
  toggleFit(around) {
    if (this.scale) {
      this.scale = 0;
      this.draw();
    } else {
      this.zoom(Math.max(1 / devicePixelRatio / this.fitting, 1.5), around);
    }
  }

  pan(x, y) {
    if (!this.scale) return;
    this.left += x;
    this.top += y;
    this.draw();
  }

  wheel(event) {
    event.preventDefault();
    this.zoom(Math.exp(-Math.sign(event.deltaY) * Math.min(Math.abs(event.deltaY), 80) * 0.004), this.where(event));
  }

  drag() {
    const fingers = new Map();
    let apart = 0;
    let divides = false;
    this.stage.addEventListener("pointerdown", (event) => {
      divides = event.target === byId("divider");
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      this.stage.setPointerCapture(event.pointerId);
      this.stage.classList.add("dragging");
      event.preventDefault();
    });
    this.stage.addEventListener("pointermove", (event) => {
      const from = fingers.get(event.pointerId);
      if (!from) return;
      if (divides) {
        const width = this.shown.width * (this.scale || this.fitting);
        this.setAt(((this.where(event).x - this.left) / width) * 100);
      } else if (fingers.size === 2) {
        fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
        const [one, other] = fingers.values();
        const now = Math.hypot(one.x - other.x, one.y - other.y);
        const box = this.stage.getBoundingClientRect();
        if (apart) this.zoom(now / apart, { x: (one.x + other.x) / 2 - box.left, y: (one.y + other.y) / 2 - box.top });
        apart = now;
        return;
      } else {
        this.pan(event.clientX - from.x, event.clientY - from.y);
      }
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    });
    const end = (event) => {
      fingers.delete(event.pointerId);
      apart = 0;
      divides = divides && fingers.size > 0;
      if (!fingers.size) this.stage.classList.remove("dragging");
    };
    this.stage.addEventListener("pointerup", end);
    this.stage.addEventListener("pointercancel", end);
  }
}
