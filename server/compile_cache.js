// What Node makes of every module (the TypeScript without its types, the bytecode) is kept for the next start, in the folder of
// the packages, which nobody but the owner of the installation can write. The next start is shorter and does not load the
// compiler. Plain JavaScript and loaded before anything else (`node --import`), since TypeScript would have loaded it already.
// Where the folder cannot be written, everything works as without.

import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/causeway'));
