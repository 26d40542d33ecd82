// What text may enter the server at all. PostgreSQL refuses NUL and lone surrogates, so they must be refused before it.

const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;

/** Whether a string is well-formed Unicode without control characters (tab and line breaks aside). */
export function isCleanText(text: string): boolean {
  return text.isWellFormed() && !CONTROL.test(text);
}
