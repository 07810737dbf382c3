// Having the rejected done again: planned here, paid for by the next run, under its caps.
import { post } from "./server.js";
import { ask } from "./verdicts.js";

const MOST = 6;

const some = (lines) => (lines.length > MOST ? [...lines.slice(0, MOST), `and ${lines.length - MOST} more`] : lines);

/** Show what it would cost, and plan it if that is wanted; return whether anything was planned. */
export const redoRejected = async () => {
  const would = await post("/api/redo", { plan: false });
  const leftOut = some(would.left_out.map((line) => `Left out: ${line}`));
  if (!would.planned) {
    await ask("Redo the rejected", [...would.lines, ...leftOut]);
    return false;
  }
  const sure = await ask("Redo the rejected?", [...would.lines, "Nothing is spent before you type the command that follows.", ...leftOut], `Plan ${would.planned}`);
  if (!sure) return false;
  const done = await post("/api/redo", { plan: true });
  await ask("Planned", [...done.lines, done.next ? `Next: ${done.next}` : ""].filter(Boolean));
  return true;
};
