// Builds dist/finch-client.js: the client with rooms in one file, which the Go
// package beside it embeds. The same sources give the same bytes; a test sees to
// it that the file is fresh.
//
//	npm run build

import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export const script = here('dist/finch-client.js');

const LICENCE = '/*! Finch client. Licensed under the Apache License 2.0. */';

// bundle makes one file of what a program imports.
export async function bundle(program, options = {}) {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: here('.'), sourcefile: 'program.js' },
    bundle: true, minify: true, format: 'esm', target: 'es2022', legalComments: 'none', write: false, ...options,
  });
  return outputFiles[0].text;
}

export async function client() {
  return `${LICENCE}\n${await bundle("export * from './lib/rooms.js';")}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await mkdir(here('dist'), { recursive: true });
  await writeFile(script, await client());
}
