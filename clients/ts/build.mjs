// Builds dist/finch-client.js, the client with rooms in one file, and
// dist/finch-tabs.js, one connection for all tabs, which the Go package beside it
// embeds, and copies code that is compiled into the README. The same sources give
// the same bytes; tests see to it that all are fresh.
//
//	npm run build

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export const script = here('dist/finch-client.js');
export const tabsScript = here('dist/finch-tabs.js');
export const readme = here('README.md');

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

export async function tabs() {
  return `${LICENCE}\n${await bundle("export * from './lib/tabs-script.js';")}`;
}

// withCode answers a page with the code that its markers name: a region of a
// file, between the comments "region name" and "endregion".
export async function withCode(page) {
  let answer = '';
  let rest = page;
  for (let marker; (marker = /<!-- code: (\S+)#(\S+) -->\n(\n?```[\s\S]*?\n```\n)?/.exec(rest)); ) {
    const [all, file, region] = marker;
    const source = await readFile(here(`../../${file}`), 'utf8');
    const code = new RegExp(`^// region ${region}\n([\\s\\S]*?)^// endregion$`, 'm').exec(source)?.[1];
    if (code === undefined) throw new Error(`${file} has no region ${region}`);
    answer += `${rest.slice(0, marker.index)}<!-- code: ${file}#${region} -->\n\`\`\`${file.split('.').at(-1)}\n${code.trim()}\n\`\`\`\n`;
    rest = rest.slice(marker.index + all.length);
  }
  return answer + rest;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await mkdir(here('dist'), { recursive: true });
  await writeFile(script, await client());
  await writeFile(tabsScript, await tabs());
  await writeFile(readme, await withCode(await readFile(readme, 'utf8')));
}
