// Loaded before anything else (`node --import`), so that a node holds less memory. Plain JavaScript: TypeScript would already
// have loaded what is spared here. Without this file everything works as well.

import { createRequire, enableCompileCache } from 'node:module';
import { join } from 'node:path';

// What Node makes of every module (the TypeScript without its types, the bytecode) is kept for the next start, which then does
// without the compiler of TypeScript. It is kept among the packages, where nobody but the owner of the installation can write;
// where the owner cannot either, nothing is kept.
enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/causeway'));

// Whoever imports `node:http` has all its exports read, and these three load a whole HTTP client (undici, 9 MB) for the names
// of browsers' classes, which stay reachable as globals.
const http = createRequire(import.meta.url)('node:http');
for (const name of ['WebSocket', 'CloseEvent', 'MessageEvent']) delete http[name];
