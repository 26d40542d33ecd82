// An import that is killed goes on where its last batch ended: nobody twice, nobody lost, and the report says everything once.

import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { startImports } from './setup.ts';

const imports = await startImports();
test.after.always(() => imports.close());
const ROWS = 20_000;

/** Every hundredth row has no address, every five hundredth names the one before again. */
const faulty = (row: number) => row % 100 === 50;
const repeated = (row: number) => row % 500 === 499;
function rows(host: string, format: 'csv' | 'jsonl'): string {
  const lines = format === 'csv' ? ['email,name,external_id'] : [];
  for (let row = 0; row < ROWS; row++) {
    const email = faulty(row) ? 'nobody' : `r${repeated(row) ? row - 1 : row}@${host}`;
    const record = { email, name: `Reader ${row}`, external_id: `${host}-${row}` };
    lines.push(format === 'csv' ? `${email},${record.name},${record.external_id}` : JSON.stringify(record));
  }
  return `${lines.join('\n')}\n`;
}
const REJECTED = ROWS / 100;
const SKIPPED = ROWS / 500;

for (const [format, kills] of [
  ['csv', [1000, 8000]],
  ['jsonl', [4000]],
] as const) {
  test(`${ROWS} rows of ${format}, killed on the way, are all there once, and once in the report`, async (t) => {
    const host = `${format}-kill.example`;
    const path = await imports.file(`kill.${format}`, rows(host, format));
    const options = ['--format', format];
    const stateOf = () => imports.db.builder('imports').where({ file_name: path }).first();
    let reached = 0;
    for (const least of kills) {
      const { child, ended } = imports.start(path, options);
      let isOver = false;
      ended.finally(() => {
        isOver = true;
      });
      while (!isOver && Number((await stateOf())?.records ?? 0) < least) await pause(2);
      child.kill('SIGKILL');
      t.is((await ended).code, null, 'it was killed while it worked');
      const { records, finished_at } = await stateOf();
      t.is(finished_at, null);
      t.true(Number(records) >= reached);
      reached = Number(records);
    }
    t.true(reached > 0 && reached < ROWS);
    const ran = await imports.run(path, options);
    t.is(ran.code, 3);
    t.regex(ran.stderr, /Going on where the last run ended/);
    const inserted = ROWS - REJECTED - SKIPPED;
    t.is(
      ran.stdout,
      `${ROWS} records, ${inserted} new accounts, 0 updated, ${SKIPPED} skipped, ${REJECTED} rejected.\n`,
    );
    t.is(await imports.countOf(`%@${host}`), inserted);
    const rejects = await imports.rejectsOf(path);
    t.is(new Set(rejects.map(({ line }) => line)).size, REJECTED + SKIPPED);
    t.is(rejects.length, REJECTED + SKIPPED);
    t.deepEqual(
      rejects.map(({ line }) => line),
      rejects.map(({ line }) => line).sort((a, b) => a - b),
    );
    const again = await imports.run(path, options);
    t.regex(again.stdout, /^This file was imported already, on \d{4}-\d\d-\d\d: 20000 records/);
    t.is(await imports.countOf(`%@${host}`), inserted);
    const events = await imports.db.builder('audit_events').where({ type: 'accounts.imported' }).select('detail');
    t.is(events.filter(({ detail }) => detail.format === format && detail.records === ROWS).length, 1);
  });
}

test('the same file read in another way is another import, and two of the same at once do nothing twice', async (t) => {
  const path = await imports.file('twice.csv', 'email,name\na@twice.example,A\nb@twice.example,B\n');
  const both = await Promise.all([imports.run(path), imports.run(path)]);
  t.true(
    both.every(({ code, stderr }) => code === 0 || /Another process is importing this file/.test(stderr)),
    JSON.stringify(both),
  );
  t.is(await imports.countOf('%@twice.example'), 2);
  const other = await imports.run(path, ['--map', 'first_name=name']);
  t.is(other.code, 3);
  t.regex(other.stdout, /0 new accounts, 0 updated, 2 skipped/);
});
