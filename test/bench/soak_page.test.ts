import test from 'ava';
import { presentSoak } from '../../bench/soak_page.ts';

const MACHINE = { machine: 'a machine', at: '2026-11-26 23:05', minutes: 60 };
const soakOf = (minutes: number) => ({
  atRest: 117e6,
  inUse: 199e6,
  sessions: 1_000_000,
  soak: Array.from({ length: minutes * 2 }, (_, index) => ({ minutes: index / 2, bytes: 190e6 + index * 1e5 })),
});

test('a long soak is told in steps of five minutes, with what it gains in an hour; a short one tells nothing', (t) => {
  t.is(presentSoak(soakOf(19), MACHINE), null);
  const page = presentSoak(soakOf(30), MACHINE) ?? '';
  t.regex(page, /^<!-- Written by `npm run bench -- memory --soak 60`/);
  t.regex(page, /^\| 0 to 5 \| 190\.0 \| 190\.4 \| 190\.9 \|$/m);
  t.regex(page, /^\| 25 to 30 \| 195\.0 \| 195\.4 \| 195\.9 \|$/m);
  t.false(page.includes('30 to 35'));
  // 0.1 MB each half minute.
  t.regex(page, /gains 12\.0 to 12\.0 MB in an hour/);
});
