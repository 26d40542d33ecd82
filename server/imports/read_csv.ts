// A file of comma- or tab-separated values with a header, read piece by piece.

import { once } from 'node:events';
import type { ReadStream } from 'node:fs';
import { type CsvError, type Info, parse } from 'csv-parse';
import { type FileRecord, UnreadableFile } from './read.ts';

/** Past this the parser cannot tell where the next record begins; memory stays bounded. */
const LONGEST_RECORD = 16_777_216;
const LONGEST_FIELD = 1_048_576;
const RECORDS_AT_ONCE = 500;
/** What a decoder leaves where bytes were no UTF-8. */
const REPLACEMENT = '\ufffd';

export async function* readCsv(source: ReadStream, delimiter: string): AsyncGenerator<FileRecord[]> {
  // Faults come from the parser's own turn, before the good records that it has made meanwhile: each remembers after how many
  // of those it belongs, so that the order is that of the file every time.
  const faults: { after: number; record: FileRecord }[] = [];
  const parser = parse({
    bom: true,
    delimiter,
    // `mysql --batch` and `wp db query` quote nothing.
    quote: delimiter === '\t' ? null : '"',
    info: true,
    skip_empty_lines: true,
    // A quote inside a field is a sign like any other; refusing it would leave the parser within quotes for the rest of the file.
    relax_quotes: true,
    relax_column_count: true,
    skip_records_with_error: true,
    max_record_size: LONGEST_RECORD,
    on_skip: (error?: CsvError) => {
      if (error?.code === 'CSV_MAX_RECORD_SIZE')
        throw new UnreadableFile(
          `The record that ends beyond line ${Number(error['lines'] ?? 0)} is longer than 16 MB. Is a quote not closed? Mend the file and import it again.`,
        );
      faults.push({
        after: parser.info.records,
        record: { line: Number(error?.['lines'] ?? 0), fault: 'a quote is not closed, up to the end of the file' },
      });
    },
  });
  source.on('error', (error) => parser.destroy(error));
  source.pipe(parser);

  let header: string[] | null = null;
  let records: FileRecord[] = [];
  const takeFaults = (before: number) => {
    while (faults[0] && faults[0].after < before) records.push((faults.shift() as (typeof faults)[0]).record);
  };
  for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: Info }>) {
    takeFaults(info.records);
    if (!header) header = record.map((name) => name.trim());
    else records.push(toRecord(header, record, info.lines));
    if (records.length >= RECORDS_AT_ONCE) {
      yield records;
      records = [];
    }
  }
  if (!source.closed) await once(source, 'close');
  takeFaults(Number.POSITIVE_INFINITY);
  yield records;
}

function toRecord(header: readonly string[], fields: readonly string[], line: number): FileRecord {
  if (fields.length !== header.length)
    return { line, fault: `the line has ${fields.length} columns, the header ${header.length}` };
  const value: Record<string, string> = {};
  for (let at = 0; at < header.length; at++) {
    const field = fields[at] ?? '';
    if (field.length > LONGEST_FIELD)
      return { line, fault: `${header[at]} is longer than ${LONGEST_FIELD} characters` };
    if (field.includes(REPLACEMENT)) return { line, fault: `${header[at]} is not UTF-8` };
    value[header[at] ?? ''] = field;
  }
  return { line, value };
}
