// What every reader makes of a file: its records in order. A record that cannot be read is one too, so that counting them
// tells how far an import has come.

export type FileRecord =
  /** line: in the file; of JSON as a whole the number of the user. */
  { line: number; value: unknown } | { line: number; fault: string; isLast?: true };

/** A file that cannot be read on; the message is for the operator. */
export class UnreadableFile extends Error {}
