// What did not come in time. Whoever waited is told now; what they asked for may be done all the same.

/** Nobody waits longer for this: for a place, or for an answer whose statement is still under way. */
export class Overdue extends Error {
  override name = 'Overdue';
}
