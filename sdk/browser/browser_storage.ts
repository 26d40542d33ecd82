// The few marks the script leaves in this browser: localStorage for what holds for all tabs of the origin, sessionStorage
// for what holds for this tab. Either may be refused by the reader; then reading gives '' and writing says so.

/** All tabs, epoch ms: last silent question; last sign-out on this site; last sign-in popup opened. */
export const triedKey = 'causeway:tried';
export const signedOutKey = 'causeway:out';
export const popupKey = 'causeway:popup';
/** This tab: epoch ms of the last answer to a silent question; and, with the page address behind it, a question asked. */
const tabPrefix = 'causeway.tab:';
export const answeredKey = `${tabPrefix}answered`;
export const hopKey = `${tabPrefix}hop:`;

function area(key: string): Storage {
  return key.startsWith(tabPrefix) ? sessionStorage : localStorage;
}

export function read(key: string): string {
  try {
    return area(key).getItem(key) ?? '';
  } catch {
    return '';
  }
}

/** Writes and says whether it can be read back; an empty value counts as no mark. */
export function write(key: string, value: string | number): boolean {
  try {
    area(key).setItem(key, `${value}`);
  } catch {}
  return read(key) === `${value}`;
}
