// The process's logger: server/lib/log.ts.

import test from 'ava';
import { createLog } from '../../server/lib/log.ts';

test.serial('loggers share standard output, so no number of them leaves a listener each on it', (t) => {
  const first = createLog({ level: 'silent' });
  const listeners = process.stdout.listenerCount('error');
  const others = Array.from({ length: 20 }, () => createLog({ level: 'silent' }));
  t.true(listeners > 0, 'somebody listens: a closed pipe must not end the server');
  t.is(process.stdout.listenerCount('error'), listeners);
  t.true(others.every(({ destination }) => destination === first.destination));
});
