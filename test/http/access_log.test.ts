import test from 'ava';
import { createAccessLines } from '../../server/http/access_log.ts';
import { createLog } from '../../server/lib/log.ts';

const ANSWERED = {
  request: 'AbCdEfGhIjKl',
  method: 'GET',
  route: 'bridgekeeper.token',
  host: 'news.example',
  address: '192.0.2.7',
  status: 303,
};

function writing(level: string) {
  const lines: string[] = [];
  const log = createLog({ level, destination: { write: (line) => void lines.push(line) } });
  const write = createAccessLines({ log, observe: () => undefined });
  return { lines, log, write: (more: object = {}) => write({ ...ANSWERED, startedAt: performance.now(), ...more }) };
}

test('a request is told as every other line: level, time, and what is known of it', (t) => {
  const { lines, log, write } = writing('info');
  const before = Date.now();
  write();
  log.info(ANSWERED);
  const [ours = {}, pinos = {}] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const { milliseconds, time, ...rest } = ours;
  const { time: _, ...expected } = pinos;
  t.deepEqual(rest, expected);
  t.deepEqual(Object.keys(ours), [...Object.keys(pinos), 'milliseconds']);
  t.true(Number(time) >= before && Number(time) <= Date.now());
  t.true(Number(milliseconds) >= 0 && Number(milliseconds) < 60_000);
});

test('whatever stands in a value, it is one line of JSON', (t) => {
  const { lines, write } = writing('info');
  const hostile = '"},\n{"level":60\u2028\\\u0000\ud800é';
  write({ host: hostile, method: hostile, address: null });
  t.is(lines.length, 1);
  t.regex(lines[0] ?? '', /^[^\n]+\n$/);
  const { host, method, address } = JSON.parse(lines[0] ?? '') as typeof ANSWERED;
  t.deepEqual({ host, method, address }, { host: hostile, method: hostile, address: null as unknown as string });
});

test('session checks are told on level debug alone, unless they fail', (t) => {
  const me = { route: 'bridgekeeper.me', status: 200 };
  const usual = writing('info');
  usual.write(me);
  t.is(usual.lines.length, 0);
  usual.write({ ...me, status: 503 });
  t.is(JSON.parse(usual.lines[0] ?? '').level, 30);
  const debugging = writing('debug');
  debugging.write(me);
  t.is(JSON.parse(debugging.lines[0] ?? '').level, 20);
  const silent = writing('error');
  silent.write();
  t.is(silent.lines.length, 0);
});
