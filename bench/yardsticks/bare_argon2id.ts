// Yardstick: argon2id and nothing around it. Verifies one hash again and again, one at a time, and prints how often in how
// much processor time. `node bare_argon2id.ts LIBRARY SECONDS`

import { fastArgon2id, portableArgon2id } from '../../server/passwords/argon2id.ts';

const [, , library, seconds] = process.argv;
const argon2id = library === 'argon2' ? portableArgon2id : fastArgon2id;
if (!argon2id) throw new Error(`${library} does not load here`);
const stored = await argon2id.hash('a long enough password');
const [startedAt, cpuBefore] = [performance.now(), process.cpuUsage()];
let verified = 0;
while (performance.now() - startedAt < Number(seconds) * 1000)
  if (await argon2id.verify(stored, 'a long enough password')) verified++;
const cpu = process.cpuUsage(cpuBefore);
const result = {
  operations: verified,
  seconds: (performance.now() - startedAt) / 1000,
  cpu: (cpu.user + cpu.system) / 1e6,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
