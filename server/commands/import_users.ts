// `causeway users import`: shows how far an import has come, and what became of the file.

import { Presets, SingleBar } from 'cli-progress';
import { type Counts, type ImportOrder, type Progress, UnreadableFile } from '../imports/imports.ts';
import { type CommandContext, CommandFailed } from './context.ts';

const LINE_EVERY_MS = 5000;
const SOME_LEFT_OUT = 3;

/** Imports a file. @throws CommandFailed with exit code 3 when records were left out */
export async function importUsers(
  context: CommandContext,
  slug: string,
  order: Omit<ImportOrder, 'realm'>,
): Promise<void> {
  const realm = await context.getRealm(slug);
  const display = createDisplay();
  const imported = await context.imports
    .run({ ...order, realm }, display.show)
    .catch((error) => {
      throw error instanceof UnreadableFile ? new CommandFailed(error.message) : error;
    })
    .finally(display.stop);
  if (imported.kind === 'conflict')
    throw new CommandFailed(
      `Stopped at line ${imported.line}: ${imported.reason}. Its batch was not kept; before it: ${describe(imported.counts)}.`,
    );
  const { counts, rejectsPath } = imported;
  if (imported.kind === 'done-before')
    context.print(
      `This file was imported already, on ${imported.finishedAt?.toISOString().slice(0, 10)}: ${describe(counts)}. To read it once more: --again`,
    );
  else context.print(`${order.isDryRun ? 'Nothing was changed. There would be: ' : ''}${describe(counts)}.`);
  if (counts.skipped + counts.rejected > 0)
    throw new CommandFailed(`What was left out, and why: ${rejectsPath}`, SOME_LEFT_OUT);
}

function describe({ records, inserted, updated, skipped, rejected }: Counts): string {
  return `${records} records, ${inserted} new accounts, ${updated} updated, ${skipped} skipped, ${rejected} rejected`;
}

/** A bar on a terminal; elsewhere a line now and then. Both on standard error. */
function createDisplay() {
  const started = performance.now();
  const isBar = process.stderr.isTTY === true;
  const bar = new SingleBar(
    {
      format: '{bar} {percentage}% · {records} records · {rate}/s · {left} left',
      hideCursor: true,
      stream: process.stderr,
    },
    Presets.shades_classic,
  );
  let first: Progress | null = null;
  let lastLine = started;

  function show(progress: Progress): void {
    const seconds = Math.max(0.001, (performance.now() - started) / 1000);
    if (!first) {
      first = progress;
      if (isBar) bar.start(progress.bytes, progress.bytesRead);
      if (progress.isGoingOn) process.stderr.write('Going on where the last run ended.\n');
    }
    const rate = Math.round((progress.counts.records - first.counts.records) / seconds);
    const left = (seconds / Math.max(1, progress.bytesRead)) * (progress.bytes - progress.bytesRead);
    const facts = { records: progress.counts.records, rate, left: `${Math.ceil(left)} s` };
    if (isBar) bar.update(progress.bytesRead, facts);
    if (isBar || performance.now() - lastLine < LINE_EVERY_MS) return;
    lastLine = performance.now();
    const percent = Math.floor((100 * progress.bytesRead) / Math.max(1, progress.bytes));
    process.stderr.write(`${percent}%: ${facts.records} records, ${facts.rate}/s, ${facts.left} left\n`);
  }

  function stop(): void {
    if (isBar) bar.stop();
  }

  return { show, stop };
}
