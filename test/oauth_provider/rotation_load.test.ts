// Keys that are replaced every few seconds on two nodes under load. (Two minutes of it: test/peers/rotate_keys.ts.)

import test from 'ava';
import { REALM } from '../support/conformance.ts';
import { loadWhileRotating } from '../support/rotation_load.ts';
import { startTestServer } from '../support/server.ts';

const env = { CAUSEWAY_KEY_ROTATION: '5s', CAUSEWAY_JWKS_MAX_AGE: '1s' };
const one = await startTestServer({ yaml: REALM, env });
const two = await startTestServer({ database: one.database, env });
test.after.always(async () => {
  await two.close();
  await one.close();
});

test('security 117, reliability R-80: no verification fails while keys rotate under load, for a verifier that caches the set for its max-age', async (t) => {
  const report = await loadWhileRotating([one, two], { seconds: 18, workers: 2 });
  t.deepEqual(report.failures.slice(0, 5), []);
  t.true(report.kids >= 3, `at least two rotations were seen: ${JSON.stringify(report)}`);
  t.true(report.tokens > 100, JSON.stringify(report));
});
