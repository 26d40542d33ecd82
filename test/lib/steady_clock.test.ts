import test from 'ava';
import { createSteadyClock } from '../../server/lib/steady_clock.ts';

function clocks() {
  const time = { monotonic: 1000, wall: 5_000_000 };
  const now = createSteadyClock({ monotonic: () => time.monotonic, wall: () => time.wall });
  return { time, now };
}

test('it goes on with both clocks, once', (t) => {
  const { time, now } = clocks();
  time.monotonic += 50;
  time.wall += 50;
  t.is(now(), 50);
  t.is(now(), 50);
});

test('a machine that was suspended, whose monotonic clock stood still, has lost no time', (t) => {
  const { time, now } = clocks();
  time.wall += 60_000;
  t.is(now(), 60_000);
});

test('a wall clock that is set back takes nothing away, and does not hold up what follows', (t) => {
  const { time, now } = clocks();
  time.monotonic += 10;
  time.wall -= 3_600_000;
  t.is(now(), 10);
  time.monotonic += 10;
  time.wall += 10;
  t.is(now(), 20);
});
