// The certification modules of the Form Post profile: those of the Basic profile, with every answer posted by a form.

import test from 'ava';
import { startConformance } from '../support/conformance.ts';
import { BASIC_MODULES } from './basic_modules.ts';

const on = await startConformance();
test.after.always(() => on.server.close());

for (const { name, shows, run } of BASIC_MODULES) {
  test(`${name} (Form Post): ${shows}`, async (t) => {
    await t.notThrowsAsync(
      run({ on, mode: 'form_post', ask: (changes = {}) => ({ response_mode: 'form_post', ...changes }) }),
    );
  });
}
