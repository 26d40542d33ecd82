// Every interleaving of a change, its announcement, renewals, reads and time, with the server's own rules of a node.

import test from 'ava';
import { explore, SAFEGUARDS } from './lease_model.ts';

test('R-20: no answer from memory is older than an acknowledged change, in any interleaving', (t) => {
  const { states, answers, fault } = explore();
  t.deepEqual(fault, null, fault?.join('\n'));
  t.log(`${states} states, ${answers} answers looked at`);
  // The model would prove nothing if it could not get anywhere.
  t.true(states > 10_000, `${states} states`);
  t.true(answers > 1000, `${answers} answers`);
});

for (const without of SAFEGUARDS)
  test(`R-20: the check finds the fault when this is missing: ${without}`, (t) => {
    const { fault } = explore({ without });
    t.truthy(fault, 'no fault was found, so the safeguard, or this check, is of no use');
    t.log(fault?.join('\n'));
  });
