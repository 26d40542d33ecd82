// What did not come in time. Whoever waited is told now; what they asked for may be done all the same.

/** Nobody waits longer for this: for a place, or for an answer whose statement is still under way. */
export class Overdue extends Error {
  override name = 'Overdue';
}

/** By then whoever waits for the database has an answer (reliability R-32), though a statement may take longer. */
export const ANSWERED_WITHIN_MS = 2500;

/** What work comes to, or Overdue when that takes too long; the work goes on. */
export async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Overdue('no answer in time')), ANSWERED_WITHIN_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
