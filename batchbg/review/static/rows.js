// The rows of what is chosen: fetched a window at a time, as they come into sight.
import { get } from "./server.js";

const WINDOW = 120;
const KEPT = 80;

export class Rows {
  constructor(onChange) {
    this.view = 0;
    this.total = 0;
    this.onChange = onChange;
    this.onForgotten = () => {};
    this.windows = new Map();
    this.asked = new Map();
  }

  /** Begin anew with another view. */
  show(view, total) {
    this.view = view;
    this.total = total;
    this.windows.clear();
    this.asked.clear();
  }

  /** Return a row, undefined while it is not there; it is asked for. */
  at(place) {
    const number = Math.floor(place / WINDOW);
    const found = this.windows.get(number);
    if (!found) {
      this.ask(number);
      return undefined;
    }
    return found.get(place);
  }

  /** Put a row as it is now in its place. */
  put(row) {
    const found = this.windows.get(Math.floor(row.place / WINDOW));
    if (found && found.get(row.place)?.id === row.id) found.set(row.place, row);
  }

  /** Wait for a row. */
  async whole(place) {
    await this.ask(Math.floor(place / WINDOW));
    return this.at(place);
  }

  /** Fetch a window, unless it is there or on its way. */
  ask(number, again = false) {
    if (this.windows.has(number) && !again) return Promise.resolve();
    if (!this.asked.has(number)) this.asked.set(number, this.fetch(number));
    return this.asked.get(number);
  }

  async fetch(number) {
    const view = this.view;
    try {
      const { rows } = await get("/api/rows", { view, from: number * WINDOW, count: WINDOW });
      if (view !== this.view) return;
      this.windows.delete(number);
      this.windows.set(number, new Map(rows.map((row) => [row.place, row])));
      while (this.windows.size > KEPT) this.windows.delete(this.windows.keys().next().value);
      this.onChange();
    } catch (error) {
      if (error.status === 410 && view === this.view) this.onForgotten();
    } finally {
      if (view === this.view) this.asked.delete(number);
    }
  }

  /** Ask anew for the windows that hold these places. */
  async refresh(first, last) {
    const windows = [];
    for (let number = Math.floor(first / WINDOW); number <= Math.floor(last / WINDOW); number++) windows.push(number);
    for (const number of this.windows.keys()) if (!windows.includes(number)) this.windows.delete(number);
    await Promise.all(windows.map((number) => this.ask(number, true)));
  }
}
