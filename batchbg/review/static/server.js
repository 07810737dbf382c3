// Asking the server; where the ledger is busy it is said, and asked again.
import { tell, wait } from "./dom.js";

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const answered = async (path, options) => {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch {
    throw new Refused(0, "batchbg review has ended; start it again for a new address");
  }
  const value = await answer.json().catch(() => ({ error: `the server says ${answer.status}` }));
  if (!answer.ok) {
    const refused = new Refused(answer.status, value.error || `the server says ${answer.status}`);
    refused.busy = Boolean(value.busy);
    throw refused;
  }
  return value;
};

export const get = (path, asked = {}) => {
  const query = new URLSearchParams(asked).toString();
  return answered(query ? `${path}?${query}` : path);
};

/** Send something, again and again while others write into the ledger. */
export const post = async (path, value) => {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) };
  for (;;) {
    try {
      return await answered(path, options);
    } catch (error) {
      if (!error.busy) throw error;
      tell("A run is writing into the ledger; trying again…", 0);
      await wait(700);
      tell("");
    }
  }
};

export const thumb = (row) => `/thumb/${encodeURIComponent(row.id)}?k=${encodeURIComponent(row.key)}`;

export const picture = (row, which) =>
  `/picture/${encodeURIComponent(row.id)}/${which}?k=${encodeURIComponent(row.key)}`;
