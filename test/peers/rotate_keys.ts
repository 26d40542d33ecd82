// Two minutes of key rotation every ten seconds on two nodes under load, with a verifier that caches the published set for
// its max-age. Prints what happened; ends with 1 on any failure. Run through: node test/support/run.ts --script test/peers/rotate_keys.ts

import { REALM } from '../support/conformance.ts';
import { loadWhileRotating } from '../support/rotation_load.ts';
import { startTestServer } from '../support/server.ts';

const SECONDS = 120;
const env = { CAUSEWAY_KEY_ROTATION: '10s', CAUSEWAY_JWKS_MAX_AGE: '2s' };
const one = await startTestServer({ yaml: REALM, env });
const two = await startTestServer({ database: one.database, env });
try {
  const report = await loadWhileRotating([one, two], { seconds: SECONDS, workers: 4 });
  console.log(
    `${SECONDS} s, ${report.kids} signing keys seen, ${report.tokens} tokens (${Math.round(report.tokens / SECONDS)}/s), ${report.fetches} fetches of the set, ${report.failures.length} failures`,
  );
  for (const failure of report.failures.slice(0, 10)) console.log(failure);
  if (report.failures.length > 0 || report.kids < 10) process.exitCode = 1;
} finally {
  await two.close();
  await one.close();
}
